// What the clients send, as data. MQTT: device-protocol.md 2.1 to 2.3; HTTPS: 3.2; tokens: 5. With a certificate they send
// the same bytes without a token; `leaf`: the certificate alone, without those above it (1.2). `only` is how such a client
// proves itself when it does so in no other way, `password` what it sends besides its certificate.
'use strict';

const RESPONSES = '$dps/registrations/res/#';
const REGISTER = '$dps/registrations/PUT/iotdps-register/?$rid={rid}';
const POLL = '$dps/registrations/GET/iotdps-get-operationstatus/?$rid={rid}&operationId={op}';
const UUID = '5d7a1b9c-3f1e-4c6a-9b1d-2f8a6c0e4d11';

const mqtt = [
  {
    client: 'C', token: 'c', username: '{scope}/registrations/{id}/api-version=2021-06-01&ClientVersion=1.15.0',
    clean: true, keepalive: 0, subQos: 1, qos: 0, rid: '1', pollRid: '2',
    register: '{"registrationId":"{id}"}', poll: '{"registrationId":"{id}"}',
  },
  {
    client: 'C with a payload', token: 'c', username: '{scope}/registrations/{id}/api-version=2021-06-01&ClientVersion=1.15.0',
    clean: true, keepalive: 0, subQos: 1, qos: 0, rid: '1', pollRid: '2',
    register: '{"registrationId":"{id}","payload":{"a":1}}', poll: '{"registrationId":"{id}","payload":{"a":1}}',
  },
  {
    client: 'C#, no body at all', token: 'csharp', leaf: true, keepalive: 0, clean: true, subQos: 1, qos: 1, rid: '2', pollRid: '3',
    username: '{scope}/registrations/{id}/api-version=2019-03-31&ClientVersion=Microsoft.Azure.Devices.Provisioning.Client%2F1.19.0%20%28.NET%206.0%3B%20Linux%3B%20X64%29',
    register: '', poll: '', strayPuback: true,
  },
  {
    client: 'C# with a payload', token: 'csharp', leaf: true, keepalive: 0, clean: true, subQos: 1, qos: 1, rid: '2', pollRid: '3',
    username: '{scope}/registrations/{id}/api-version=2019-03-31&ClientVersion=x', register: '{"payload":{"a":1}}', poll: '',
  },
  {
    client: 'Java', token: 'java', username: '{scope}/registrations/{id}/api-version=2019-03-31&ClientVersion=2019-03-31',
    clean: false, keepalive: 230, subQos: 1, qos: 0, rid: '1', pollRid: '2', slow: true,
    register: '{"registrationId":"{id}"}', poll: '',
  },
  {
    client: 'Java, payload as a string', token: 'java', username: '{scope}/registrations/{id}/api-version=2019-03-31&ClientVersion=2019-03-31',
    clean: false, keepalive: 230, subQos: 1, qos: 0, rid: '1', pollRid: '2', slow: true,
    register: '{"registrationId":"{id}","payload":"{\\"a\\":1}"}', poll: '',
  },
  {
    client: 'Node', token: 'node', username: '{scope}/registrations/{id}/api-version=2019-03-31&ClientVersion=azure-iot-provisioning-device%2F1.9.1',
    clean: true, keepalive: 180, subQos: 1, qos: 1, rid: UUID, pollRid: `${UUID}-2`,
    register: '{"registrationId":"{id}"}', poll: ' ',
  },
  {
    client: 'Python', token: 'python', clean: false, keepalive: 60, subQos: 1, qos: 1, rid: UUID, pollRid: `${UUID}-2`,
    username: '{scope}/registrations/{id}/api-version=2019-03-31&ClientVersion=azure-iot-device-provisioning-py%2F2.14.0%283.11.2%3BLinux%206.1.0%3Bx86_64%29',
    register: '{"payload": null, "registrationId": "{id}"}', poll: ' ',
  },
  {
    client: 'embedded C, no ClientVersion, QoS 0', token: 'embedded', username: '{scope}/registrations/{id}/api-version=2019-03-31',
    clean: true, keepalive: 30, subQos: 1, qos: 0, rid: '1', pollRid: '1', register: '{"registrationId":"{id}"}', poll: '',
  },
  {
    client: 'embedded C, user agent un-encoded, QoS 1', token: 'embedded with skn', clean: true, keepalive: 240, subQos: 1, qos: 1,
    username: '{scope}/registrations/{id}/api-version=2019-03-31&ClientVersion=azsdk-c/1.6.0 (my board; rev 2/b)',
    rid: '1', pollRid: '1', register: '{"registrationId":"{id}","payload":{"modelId":"dtmi:com:example:T;1"}}', poll: '',
  },
  {
    client: 'FreeRTOS middleware, subscribed at QoS 0', token: 'embedded', username: '{scope}/registrations/{id}/api-version=2019-03-31&ClientVersion=c%2F1.3.0(FreeRTOS)',
    clean: true, keepalive: 60, subQos: 0, qos: 0, rid: '1', pollRid: '1', register: '{"registrationId":"{id}"}', poll: '',
  },
  {
    client: 'a client that asks for QoS 2 on its responses', token: 'python', username: '{scope}/registrations/{id}/api-version=2019-03-31',
    clean: true, keepalive: 60, subQos: 2, granted: 1, qos: 1, rid: 'a', pollRid: 'b', register: '{}', poll: '',
  },
  {
    client: 'a preview api-version', token: 'python', username: '{scope}/registrations/{id}/api-version=2025-07-01-preview',
    clean: true, keepalive: 60, subQos: 1, qos: 1, rid: 'a', pollRid: 'b', register: '{"registrationId":"{id}","unheardOf":{"x":[1]}}', poll: '',
  },
  {
    client: 'a client that sends an empty password', only: 'x509', password: '', username: '{scope}/registrations/{id}/api-version=2019-03-31',
    clean: true, keepalive: 60, subQos: 1, qos: 1, rid: 'a', pollRid: 'b', register: '{"registrationId":"{id}"}', poll: '',
  },
  {
    client: 'embedded C, QoS 0, certificate alone, empty body', only: 'x509', leaf: true, clean: true, keepalive: 30, subQos: 1, qos: 0,
    username: '{scope}/registrations/{id}/api-version=2019-03-31', rid: '1', pollRid: '1', register: '', poll: '',
  },
].map((entry) => ({ filter: RESPONSES, registerTopic: REGISTER, pollTopic: POLL, ...entry }));

const http = [
  {
    client: 'C', token: 'c', path: 'lower-hex', version: '2021-06-01', okPut: [202],
    headers: ['UserAgent: prov_device_client/1.0', 'Accept: application/json', 'Content-Type: application/json; charset=utf-8', 'Connection: keep-alive'],
    register: '{"registrationId":"{id}"}', pollHeaders: ['Content-Length: 0'],
  },
  {
    client: 'C#', token: 'csharp', leaf: true, path: 'upper-hex', version: '2019-03-31', query: '&forceRegistration=false', okPut: [202],
    headers: ['User-Agent: Microsoft.Azure.Devices.Provisioning.Client/1.19.0 (.NET 6.0; Linux; X64)', 'Content-Type: application/json; charset=utf-8'],
    register: '{"registrationId":"{id}","payload":null}',
  },
  {
    client: 'Node', token: 'node', path: 'plain', version: '2019-03-31', query: '&forceRegistration=true', okPut: [202],
    headers: ['Accept: application/json', 'Content-Type: application/json; charset=utf-8', 'Request-Id: 0b9f4bd4-9a6f-4f5e-a6a5-0d1a6a3a5d10', 'User-Agent: azure-iot-provisioning-device/1.9.1'],
    register: '{"registrationId":"{id}"}', pollBody: '{}',
  },
  {
    client: 'Java', token: 'java', path: 'plain', version: '2019-03-31', okPut: [202],
    headers: ['User-Agent: com.microsoft.azure.sdk.iot.dps.dps-device-client/2.1.4', 'Accept: application/json', 'Content-Type: application/json; charset=utf-8'],
    register: '{"registrationId":"{id}"}', pollHeaders: ['Content-Length: 0'],
  },
  {
    client: 'identity service', token: 'identity', path: 'plain', version: '2021-06-01', okPut: [202], newConnections: true,
    headers: ['content-type: application/json', 'accept: application/json'], register: '{"registrationId":"{id}"}',
  },
  {
    client: 'curl, as documented', token: 'docs sample', path: 'plain', version: '2021-06-01', okPut: [202],
    headers: ['User-Agent: curl/7.88.1', 'Accept: */*', 'Content-Type: application/json', 'Content-Encoding:  utf-8'],
    register: '{"registrationId": "{id}"}',
  },
  {
    client: 'curl, without a body', only: 'x509', path: 'plain', version: '2021-06-01', okPut: [202],
    headers: ['User-Agent: curl/7.88.1', 'Accept: */*'], register: '',
  },
  {
    client: 'a client that sends its body in chunks', token: 'python', path: 'plain', version: '2019-03-31', okPut: [202], chunked: true,
    headers: ['Content-Type: application/json', 'Transfer-Encoding: chunked'], register: '{"registrationId":"{id}"}',
  },
];

module.exports = { mqtt, http };
