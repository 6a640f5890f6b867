// What the clients send over AMQP, as data: device-protocol.md 4.1 to 4.5. With a certificate they send no SASL layer, and
// the rest as it is. `token` is a form of tokens.js; `body` is filled in like those of clients.js; `retry`: the name under
// which the client looks for the seconds to wait, with its capitals. `together`: steps that go out with the one before,
// without waiting for an answer. `path`: of WebSocket, if not the usual one (1.3). `slow`: not sooner than Java can take it (9.6).
'use strict';

const REGISTER = '{"registrationId":"{id}"}';
const UUID = '5d7a1b9c-3f1e-4c6a-9b1d-2f8a6c0e4d11';
const GUID = '7d1f2ab94c6e4b0f9a3358c1d6e7f802';
const MOST = '18446744073709551615'; // UINT64_MAX

const C = {
  token: 'c', container: 'prov_connection', host: '{host}', names: { receiver: 'recv_link', sender: 'sender_link' },
  address: 'amqps://{host}/{scope}/registrations/{id}', other: { source: 'remote_endpoint', target: 'local_endpoint' },
  apiVersion: '2021-06-01', settleFirst: true, maxMessage: { sender: MOST, receiver: 65536 }, maxFrame: 65536, channelMax: 65535,
  credit: 10000, retry: 'retry-after', saslHost: '{host}', order: ['receiver', 'sender'],
  register: { body: { data: REGISTER } }, poll: { body: { data: REGISTER } },
};
const CSHARP = {
  token: 'csharp', leaf: true, path: '/', container: GUID, host: '{host}', names: { receiver: `${GUID.slice(1)}a`, sender: `${GUID.slice(1)}b` },
  clientVersion: 'Microsoft.Azure.Devices.Provisioning.Client/1.19.0 (.NET 6.0; Linux; X64)', maxFrame: 65536, idle: 240000,
  credit: 50, retry: 'Retry-After', saslHost: '{host}',
  register: { body: { data: '' }, correlation: { type: 'string', value: UUID }, force: false },
  poll: { body: { value: 'iotdps-get-operationstatus' }, correlation: { type: 'string', value: UUID } },
};
const JAVA = {
  token: 'java', path: '/$iothub/websocket?iothub-no-client-cert=true', container: 'java-device', host: '{host}:5671', address: '/{scope}/registrations/{id}', slow: true,
  names: { receiver: 'provision_receiver_link', sender: 'provision_sender_link' }, order: ['sender', 'receiver'], together: ['begin', 'second link'],
  clientVersion: 'com.microsoft.azure.sdk.iot.dps.dps-device-client/2.1.4', maxFrame: 65536, retry: 'retry-after', credit: 1024,
  register: { body: { data: REGISTER } }, poll: {},
};
const NODE = {
  token: 'node', container: UUID, host: '{host}', names: { receiver: `${UUID}-r`, sender: `${UUID}-s` }, credit: 1000, retry: 'retry-after',
  clientVersion: 'azure-iot-provisioning-device/1.9.1', channelMax: 65535, saslHost: '{host}',
  register: { body: { data: REGISTER }, correlation: { type: 'string', value: UUID }, force: false },
  poll: { body: { value: '' }, correlation: { type: 'string', value: `${UUID}-2` } },
};

const clients = [
  { ...C, client: 'C' },
  { ...C, client: 'C, sender first, with a payload', order: ['sender', 'receiver'], register: { body: { data: '{"registrationId":"{id}","payload":{"a":1}}' } } },
  { ...C, client: 'C, with an empty properties section', register: { ...C.register, correlation: { none: true } }, poll: { ...C.poll, correlation: { none: true } } },
  { ...C, client: 'C, with an empty correlation ID', register: { ...C.register, correlation: { type: 'string', value: '' } } },
  { ...CSHARP, client: 'C#, an empty body' },
  { ...CSHARP, client: 'C# with a payload', register: { ...CSHARP.register, body: { data: '{"payload":{"a":1}}' } } },
  { ...JAVA, client: 'Java' },
  { ...JAVA, client: 'Java, no body at all', register: {} },
  { ...NODE, client: 'Node' },
  { ...NODE, client: 'Node, by force', register: { ...NODE.register, force: true } },
  { ...NODE, client: 'a client that takes frames of 512 bytes only', maxFrame: 512, largest: 512 },
  { ...NODE, client: 'a client that writes every value at its longest', wide: true },
  { ...NODE, client: 'a client that does not wait for any answer', together: ['open', 'begin', 'first link', 'second link'] },
  { ...NODE, client: 'a client that says all up to its links at once, SASL too', only: 'key', eager: true, together: ['open', 'begin', 'first link', 'second link'] },
  { ...NODE, client: 'a client that has room for one answer at a time', credit: 1 },
  { ...NODE, client: 'a client with a UUID to correlate', register: { ...NODE.register, correlation: { type: 'uuid', value: UUID } } },
  { ...NODE, client: 'a client with a number to correlate', register: { ...NODE.register, correlation: { type: 'ulong', value: 77 } } },
  { ...NODE, client: 'a client with bytes to correlate', register: { ...NODE.register, correlation: { type: 'binary', value: 'b\u0000b' } } },
  { ...NODE, client: 'a client that says SASL EXTERNAL', only: 'x509', sasl: 'EXTERNAL', response: '' },
  { ...NODE, client: 'a client that says SASL EXTERNAL without a response', only: 'x509', sasl: 'EXTERNAL' },
  { ...NODE, client: 'a client that says SASL ANONYMOUS', only: 'x509', sasl: 'ANONYMOUS', response: 'anonymous' },
];

module.exports = { clients };
