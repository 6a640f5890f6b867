// Who an operator's request comes from and what it may do: SAS tokens of a service's access policies, or the
// control socket, whose peer is trusted (service-api A.3). Not for devices.
#pragma once

#include "api/exchange.h"
#include "flow/directory.h"

// Which service: over the control socket the one that the header x-usher-service names; else by the Host
// header, else the only one there is. ERR_SERVICE_NOT_FOUND.
struct err operator_service(const struct exchange *x, const struct directory_snapshot *services,
                            const struct service **out, struct why *why);
// May the caller do this? right: one enum right. Sets x->caller, for logs. Whatever is wrong with the token,
// the answer says the same; the error's name and why are for the log. service NULL: nobody may, but over the
// control socket.
struct err operator_check(struct exchange *x, const struct service *service, uint32_t right, int64_t now_us,
                          struct why *why);
