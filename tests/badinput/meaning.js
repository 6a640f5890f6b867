// Input that is well-formed for its protocol and wrong in what it says: JSON, tokens, queries.
'use strict';

const assert = require('assert');
const device = require('../lib/device');
const jsonTable = require('./json');
const mqtt = require('../lib/mqtt');
const queryTable = require('./query');
const sas = require('../lib/sas');
const tokenTable = require('./tokens');
const { API, overHttps } = require('../lib/control');
const { GoodDevice, oneLogLine } = require('./judge');

async function jsonCases(report, server, ownerToken) {
  const path = `/enrollments/bad-json?${API}`;
  for (const { name, body } of jsonTable.rows('bad-json')) {
    await report.check(`JSON: ${name}: 400, one log line`, async () => {
      const got = await oneLogLine(server, () => overHttps(server, 'PUT', path, { body, token: ownerToken() }));
      assert.strictEqual(got.status, 400, got.text);
      device.checkError(got.json, 400);
      assert.strictEqual((await server.control.request('GET', path)).status, 404, 'an enrollment was made');
    });
  }
  for (const [name, [text, value]] of Object.entries(jsonTable.good)) {
    await report.check(`JSON: ${name}: taken, and comes back as it was`, async () => {
      const put = await overHttps(server, 'PUT', `/enrollments/good-json?${API}`, { body: jsonTable.withValue('good-json', text), token: ownerToken(), headers: { 'If-Match': '*' } });
      const made = put.status === 404 ? await overHttps(server, 'PUT', `/enrollments/good-json?${API}`, { body: jsonTable.withValue('good-json', text), token: ownerToken() }) : put;
      assert.strictEqual(made.status, 200, made.text);
      const got = await server.control.must('GET', `/enrollments/good-json?${API}`);
      assert.deepStrictEqual(got.initialTwin.tags.a, value);
    });
  }
}

/** The table of tokens at every door that takes one. */
async function tokenCases(report, server, good, owner, hubOwner) {
  const { scope } = server;
  const other = (await GoodDevice.make(server, 'bad-token-other')).id;
  const deviceRows = tokenTable.rows({ audience: `${scope}/registrations/${good.id}`, other: `${scope}/registrations/${other}`, key: good.key, skn: 'registration' });
  for (const { name, token, status } of deviceRows) {
    await report.check(`token, device over HTTPS: ${name}: ${status}, one log line`, async () => {
      const got = await oneLogLine(server, () => device.registerHttp(server, { id: good.id, token }));
      assert.strictEqual(got.status, status, String(got.body));
      device.checkError(got.json, status);
    });
    await report.check(`token, device over MQTT: ${name}: CONNACK 5, one log line`, () => oneLogLine(server, async () => {
      const peer = await device.openMqtt(server);
      await peer.write(mqtt.connect({ clientId: good.id, username: device.username(scope, good.id), password: token }));
      assert.strictEqual((await peer.expect('CONNACK')).code, 5);
      await peer.closedBy(3000, 'after CONNACK 5');
    }));
  }
  const doors = [
    ['service API', `/enrollments/${good.id}?${API}`, owner],
    ['control over HTTPS', '/control/services/dev', owner],
    ['hub registry', `/devices/${good.id}?api-version=2021-04-12`, hubOwner],
    ['hub twin', `/twins/${good.id}?api-version=2021-04-12`, hubOwner],
  ];
  for (const [door, path, { policy, key }] of doors) {
    await report.check(`token, ${door}: a good one is taken`, async () => {
      assert.strictEqual((await overHttps(server, 'GET', path, { token: sas.policyToken({ host: 'localhost', policy, key }) })).status, 200);
    });
    for (const { name, token, status } of tokenTable.rows({ audience: 'localhost', other: 'elsewhere.example.org', key, skn: policy })) {
      if (status !== 401) continue; // Node's client does not send them
      await report.check(`token, ${door}: ${name}: 401, one log line`, async () => {
        const got = await oneLogLine(server, () => overHttps(server, 'GET', path, { token, headers: token === '' ? { Authorization: '' } : {} }));
        assert.strictEqual(got.status, 401, got.text);
      });
    }
  }
}

async function queryCases(report, server) {
  const ask = (text, headers = {}) => server.control.request('POST', `/enrollments/query?${API}`, { query: text }, headers);
  const refused = (got) => {
    assert.strictEqual(got.status, 400, got.text);
    device.checkError(got.json, 400);
    assert.strictEqual(got.json.errorCode, 400004);
  };
  for (const [name, text] of Object.entries(queryTable.bad)) {
    await report.check(`query: ${name}: 400004, one log line`, async () => refused(await oneLogLine(server, () => ask(text))));
  }
  for (const [name, text] of Object.entries(queryTable.nothing)) {
    await report.check(`query: ${name}: finds nothing`, async () => {
      const got = await ask(text);
      assert.strictEqual(got.status, 200, got.text);
      assert.deepStrictEqual(got.json, []);
    });
  }
  for (const token of queryTable.continuations) {
    await report.check(`query: the continuation ${JSON.stringify(token.slice(0, 30))} that nobody was given: 400`, async () => {
      const got = await oneLogLine(server, () => ask('SELECT *', { 'x-ms-continuation': token }));
      assert.strictEqual(got.status, 400, got.text);
    });
  }
  for (const count of queryTable.counts) {
    await report.check(`query: a page of ${JSON.stringify(count)}: 400`, async () => {
      const got = await oneLogLine(server, () => ask('SELECT *', { 'x-ms-max-item-count': count }));
      assert.strictEqual(got.status, 400, got.text);
    });
  }
  await report.check('query: a query that is no string, or not there: 400', async () => {
    for (const body of [{ query: 1 }, { query: ['SELECT *'] }, { query: {} }, []]) {
      const got = await server.control.request('POST', `/enrollments/query?${API}`, body);
      assert.strictEqual(got.status, 400, `${JSON.stringify(body)}: ${got.text}`);
    }
  });
}

module.exports = { jsonCases, tokenCases, queryCases };
