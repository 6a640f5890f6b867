// Shared access signatures and derived keys, written from the protocol's text (device-protocol.md 5, service-api.md A.3),
// so that a mistake in an SDK and one in usherd cannot hide each other.
'use strict';

const { createHmac } = require('crypto');

function hmac(keyBase64, text) {
  return createHmac('sha256', Buffer.from(keyBase64, 'base64')).update(text, 'utf8').digest('base64');
}

/** The key of one device of a group. */
function deriveKey(groupKeyBase64, registrationId) {
  return hmac(groupKeyBase64, registrationId);
}

/** The signature of a token, not yet percent-encoded. `sr` is the text exactly as it stands in the token. */
function signature(sr, se, keyBase64) {
  return hmac(keyBase64, `${sr}\n${se}`);
}

/** Percent-encoding with upper or lower case hex digits. */
function encode(text, { lower = false } = {}) {
  const upper = encodeURIComponent(text).replace(/[!'()*]/g, (c) => `%${c.charCodeAt(0).toString(16).toUpperCase()}`);
  return lower ? upper.replace(/%[0-9A-F]{2}/g, (h) => h.toLowerCase()) : upper;
}

/**
 * A token. `fields` is the order of the fields; `skn` undefined leaves that field out, '' sends it empty.
 * `lowerHex` is how the C clients percent-encode.
 */
function token({ sr, key, se, skn, fields = ['sr', 'sig', 'se', 'skn'], lowerHex = false }) {
  const sig = encode(signature(sr, se, key), { lower: lowerHex });
  const values = { sr, sig, se: String(se), skn };
  const parts = fields.filter((f) => values[f] !== undefined).map((f) => `${f}=${values[f]}`);
  return `SharedAccessSignature ${parts.join('&')}`;
}

function inSeconds(seconds) {
  return Math.floor(Date.now() / 1000) + seconds;
}

/** An ordinary device token, as the Python client makes it. */
function deviceToken({ scope, id, key, se = inSeconds(3600) }) {
  return token({ sr: encode(`${scope}/registrations/${id}`), key, se });
}

/** A token for a policy of a service or of a hub. */
function policyToken({ host, policy, key, se = inSeconds(3600) }) {
  return token({ sr: encode(host), key, se, skn: policy });
}

/** A token for one device of a hub. */
function hubDeviceToken({ hub, deviceId, key, se = inSeconds(3600) }) {
  return token({ sr: encode(`${hub}/devices/${deviceId}`), key, se });
}

/** The parts of a connection string. */
function parseConnectionString(text) {
  const parts = {};
  for (const piece of text.trim().split(';')) {
    const at = piece.indexOf('=');
    if (at > 0) parts[piece.slice(0, at)] = piece.slice(at + 1);
  }
  return parts;
}

module.exports = { hmac, deriveKey, signature, encode, token, deviceToken, policyToken, hubDeviceToken, inSeconds, parseConnectionString };
