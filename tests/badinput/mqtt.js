// MQTT 3.1.1 that is malformed or against the protocol. `first`: sent in place of CONNECT. `after`: sent once the device is
// connected and subscribed. The server must close; `connack` is the code it must send before, undefined for none.
'use strict';

const m = require('../lib/mqtt');

const EMPTY = Buffer.alloc(0);

function first({ clientId, username, password }) {
  const good = { clientId, username, password };
  const whole = m.connect(good);
  const body = whole.subarray(1 + m.remaining(whole.length).length); // of this size, both need as many bytes
  const connectWith = (bytes, declared) => m.packet(m.TYPE.CONNECT, 0, bytes, declared);
  const start = (flags, level = 4) => Buffer.concat([m.text('MQTT'), Buffer.from([level, flags]), m.u16(0)]);
  const id = m.text(clientId);
  const user = m.text(username);
  const pass = m.text(password);
  const rows = {
    'PUBLISH first': [m.publish({ topic: 'a', payload: 'b' })],
    'SUBSCRIBE first': [m.subscribe(1, [{ topic: '$dps/registrations/res/#', qos: 1 }])],
    'PINGREQ first': [m.pingreq()],
    'DISCONNECT first': [m.disconnect()],
    'CONNACK first': [m.packet(m.TYPE.CONNACK, 0, Buffer.from([0, 0]))],
    'packet type 0': [m.packet(0, 0, EMPTY)],
    'packet type 15': [m.packet(15, 0, EMPTY)],
    'CONNECT with flags in its first byte': [m.packet(m.TYPE.CONNECT, 1, body)],
    'CONNECT of zero bytes': [connectWith(EMPTY)],
    'a remaining length of five bytes': [Buffer.from([0x10, 0xff, 0xff, 0xff, 0xff, 0x01])],
    'protocol name MQIsdp, level 3': [m.connect({ ...good, protocol: 'MQIsdp', level: 3 }), [1, undefined]],
    'an unknown protocol name': [m.connect({ ...good, protocol: 'MQTQ' }), [1, undefined]],
    'an empty protocol name': [m.connect({ ...good, protocol: '' }), [1, undefined]],
    'protocol level 5': [connectWith(Buffer.concat([m.text('MQTT'), Buffer.from([5, 0xc2]), m.u16(0), Buffer.from([0]), id, user, pass])), [1]],
    'protocol level 3': [m.connect({ ...good, level: 3 }), [1]],
    'protocol level 0': [m.connect({ ...good, level: 0 }), [1]],
    'protocol level 132, a bridge': [m.connect({ ...good, level: 132 }), [1]],
    'the reserved flag set': [m.connect({ ...good, flags: 0xc3 })],
    'a will QoS without a will': [m.connect({ ...good, flags: 0xca })],
    'will retain without a will': [m.connect({ ...good, flags: 0xe2 })],
    'a will of QoS 3': [connectWith(Buffer.concat([start(0xde), id, m.text('t'), m.text('w'), user, pass]))],
    'a will that is not there': [connectWith(Buffer.concat([start(0xc6), id, user, pass]))],
    'a password without a user name': [connectWith(Buffer.concat([start(0x42), id, pass]))],
    'no user name and no password': [connectWith(Buffer.concat([start(0x02), id])), [5]],
    'a user name that is not there': [connectWith(Buffer.concat([start(0xc2), id]))],
    'a password that is not there': [connectWith(Buffer.concat([start(0xc2), id, user]))],
    'bytes after the password': [connectWith(Buffer.concat([start(0xc2), id, user, pass, Buffer.from('x')]))],
    'a client ID longer than the packet': [connectWith(Buffer.concat([start(0xc2), m.u16(0xffff), Buffer.from(clientId)]))],
    'an empty client ID': [m.connect({ ...good, clientId: '' }), [2, 5, undefined]],
    'an empty client ID and a session to keep': [m.connect({ ...good, clientId: '', clean: false }), [2, undefined]],
    'a client ID that is no UTF-8': [m.connect({ ...good, clientId: Buffer.from([0xff, 0xfe, 0x80]) })],
    'a client ID with overlong UTF-8': [m.connect({ ...good, clientId: Buffer.from([0xc0, 0xae]) })],
    'a client ID with a surrogate': [m.connect({ ...good, clientId: Buffer.from([0xed, 0xa0, 0x80]) })],
    'a client ID with a NUL': [m.connect({ ...good, clientId: Buffer.from('a\0b') })],
    'a user name that is no UTF-8': [m.connect({ ...good, username: Buffer.from([0xff]) })],
    'a user name with a NUL': [m.connect({ ...good, username: `${username}\0` })],
    'a user name without registrations': [m.connect({ ...good, username: 'somebody' }), [5]],
    'a user name without an api-version': [m.connect({ ...good, username: username.replace(/\/api-version.*/, '') }), [5]],
    'a user name with an empty ID scope': [m.connect({ ...good, username: username.replace(/^[^/]*/, '') }), [5]],
    'a password that is no token': [m.connect({ ...good, password: 'secret' }), [5]],
    'an empty password': [m.connect({ ...good, password: '' }), [5]],
    'HTTP on the MQTT port': [Buffer.from('GET / HTTP/1.1\r\nHost: localhost\r\n\r\n')],
    'AMQP on the MQTT port': [Buffer.from('AMQP\x00\x01\x00\x00')],
    'zero bytes': [Buffer.alloc(64)],
    'all ones': [Buffer.alloc(64, 0xff)],
  };
  return Object.entries(rows).map(([name, [bytes, connack = [undefined]]]) => ({ name, bytes, connack }));
}

const REGISTER = '$dps/registrations/PUT/iotdps-register/?$rid=1';

/** Rows for a connected device: it is subscribed, with packet id 1. */
function after({ clientId, username, password }) {
  const publishBody = Buffer.concat([m.text(REGISTER), Buffer.from('{}')]);
  const rows = {
    'a second CONNECT': m.connect({ clientId, username, password }),
    'CONNACK from a client': m.packet(m.TYPE.CONNACK, 0, Buffer.from([0, 0])),
    'SUBACK from a client': m.packet(m.TYPE.SUBACK, 0, Buffer.from([0, 1, 0])),
    'UNSUBACK from a client': m.packet(m.TYPE.UNSUBACK, 0, m.u16(1)),
    'PINGRESP from a client': m.packet(m.TYPE.PINGRESP, 0, EMPTY),
    'packet type 0': m.packet(0, 0, EMPTY),
    'packet type 15': m.packet(15, 0, EMPTY),
    'a remaining length of five bytes': Buffer.from([0x30, 0xff, 0xff, 0xff, 0xff, 0x01]),
    'PUBLISH at QoS 3': m.packet(m.TYPE.PUBLISH, 6, Buffer.concat([m.text(REGISTER), m.u16(5), Buffer.from('{}')])),
    'PUBLISH at QoS 2': m.packet(m.TYPE.PUBLISH, 4, Buffer.concat([m.text(REGISTER), m.u16(5), Buffer.from('{}')])),
    'PUBLISH with packet id 0': m.packet(m.TYPE.PUBLISH, 2, Buffer.concat([m.text(REGISTER), m.u16(0), Buffer.from('{}')])),
    'PUBLISH, a duplicate at QoS 0': m.packet(m.TYPE.PUBLISH, 8, publishBody),
    'PUBLISH of zero bytes': m.packet(m.TYPE.PUBLISH, 0, EMPTY),
    'PUBLISH with a topic longer than the packet': m.packet(m.TYPE.PUBLISH, 0, Buffer.concat([m.u16(500), Buffer.from(REGISTER)])),
    'PUBLISH without room for its packet id': m.packet(m.TYPE.PUBLISH, 2, m.text(REGISTER)),
    'PUBLISH with an empty topic': m.publish({ topic: '' }),
    'PUBLISH with a wildcard in the topic': m.publish({ topic: '$dps/registrations/PUT/#' }),
    'PUBLISH with a plus in the topic': m.publish({ topic: '$dps/registrations/PUT/+/?$rid=1' }),
    'PUBLISH with a NUL in the topic': m.publish({ topic: `${REGISTER}\0` }),
    'PUBLISH with a topic that is no UTF-8': m.publish({ topic: Buffer.concat([Buffer.from(REGISTER), Buffer.from([0xff])]) }),
    'PUBLISH to a topic that is none': m.publish({ topic: 'somewhere/else', payload: '{}' }),
    'PUBLISH to the response topic': m.publish({ topic: '$dps/registrations/res/200/?$rid=1', payload: '{}' }),
    'PUBLISH to a topic of the hub': m.publish({ topic: `devices/${clientId}/messages/events/`, payload: '{}' }),
    'PUBLISH of an operation that is none': m.publish({ topic: '$dps/registrations/PUT/iotdps-unregister/?$rid=1', payload: '{}' }),
    'PUBACK of one byte': m.packet(m.TYPE.PUBACK, 0, Buffer.from([0])),
    'PUBACK with flags': m.packet(m.TYPE.PUBACK, 2, m.u16(1)),
    'PUBREL with flags 0': m.packet(m.TYPE.PUBREL, 0, m.u16(1)),
    'SUBSCRIBE with flags 0': m.subscribe(5, [{ topic: '$dps/registrations/res/#', qos: 1 }], 0),
    'SUBSCRIBE with packet id 0': m.subscribe(0, [{ topic: '$dps/registrations/res/#', qos: 1 }]),
    'SUBSCRIBE to nothing': m.subscribe(5, []),
    'SUBSCRIBE of zero bytes': m.packet(m.TYPE.SUBSCRIBE, 2, EMPTY),
    'SUBSCRIBE at QoS 3': m.subscribe(5, [{ topic: '$dps/registrations/res/#', qos: 3 }]),
    'SUBSCRIBE with reserved bits in its QoS': m.subscribe(5, [{ topic: '$dps/registrations/res/#', qos: 0x81 }]),
    'SUBSCRIBE to an empty filter': m.subscribe(5, [{ topic: '', qos: 1 }]),
    'SUBSCRIBE without a QoS': m.packet(m.TYPE.SUBSCRIBE, 2, Buffer.concat([m.u16(5), m.text('$dps/registrations/res/#')])),
    'SUBSCRIBE with a filter that is no UTF-8': m.subscribe(5, [{ topic: Buffer.from([0xff]), qos: 1 }]),
    'UNSUBSCRIBE with flags 0': m.packet(m.TYPE.UNSUBSCRIBE, 0, Buffer.concat([m.u16(5), m.text('a')])),
    'UNSUBSCRIBE from nothing': m.packet(m.TYPE.UNSUBSCRIBE, 2, m.u16(5)),
    'PINGREQ with flags': m.packet(m.TYPE.PINGREQ, 1, EMPTY),
    'PINGREQ with a body': m.packet(m.TYPE.PINGREQ, 0, Buffer.from('x')),
    'DISCONNECT with flags': m.packet(m.TYPE.DISCONNECT, 1, EMPTY),
    'DISCONNECT with a body': m.packet(m.TYPE.DISCONNECT, 0, Buffer.from('x')),
  };
  return Object.entries(rows).map(([name, bytes]) => ({ name, bytes }));
}

module.exports = { first, after };
