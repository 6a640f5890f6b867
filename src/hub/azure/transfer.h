// What transport.c needs of transfer.c.
#pragma once

#include "hub/azure/transport.h"

// curl is done with the call, which was taken out of the multi handle: fills in the results and calls done.
void azure_transfer_ended(struct azure_transfer *transfer, CURLcode code);
void azure_transfer_free(struct azure_transfer *transfer);
