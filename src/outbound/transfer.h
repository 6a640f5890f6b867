// What transport.c needs of transfer.c.
#pragma once

#include "outbound/outbound.h"

// curl is done with the call, which was taken out of the multi handle: fills in the results and calls done.
void outbound_transfer_ended(struct outbound_transfer *transfer, CURLcode code);
void outbound_transfer_free(struct outbound_transfer *transfer);
