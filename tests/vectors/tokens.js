// The forms of a device token in the field, and fixed vectors. Data only.
'use strict';

const fixed = {
  groupKey: 'AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8gISIjJCUmJygpKissLS4vMDEyMzQ1Njc4OTo7PD0+Pw==',
  se: 1893456000,
  derived: {
    'device-001': 'Tz4Wtei6uHSGQm0NiJy0Ijsh6/sJcnyJYOAfzqC4oKM=',
    'Device-001': 'YXibH+z6O23cIvcGa1LmUYe11nxKx5NIWN5vy1MNplc=',
  },
  // The key is the one derived for device-001; sig as it stands in a token.
  signatures: [
    { sr: '0ne000A0B1C/registrations/device-001', sig: 'mbWi5bNc2d1VuDAPtQhXFarGDq1mefd0iZPtNU1YWRY%3D', who: 'Node, Java' },
    { sr: '0ne000A0B1C%2Fregistrations%2Fdevice-001', sig: 'rLLZL7wvC%2BRbucCdkJFXgjZj%2FROvTeNYQ3%2Fn6c6E8HE%3D', who: 'C#, Python' },
    { sr: '0ne000A0B1C%2fregistrations%2fdevice-001', sig: 'FSe2gLmUnTxdEvDx0SoxFmWwCb%2Fp8DFfopxaVCgUWZw%3D', who: 'C, embedded C' },
    { sr: '0ne000a0b1c%2Fregistrations%2Fdevice-001', sig: 'tBHQcg8kDwpfUEZmlYPNgiHNjVggaH3Hzea%2BK2rU0gI%3D', who: 'identity service' },
  ],
  nodeToken: 'SharedAccessSignature sr=0ne000A0B1C/registrations/device-001&sig=mbWi5bNc2d1VuDAPtQhXFarGDq1mefd0iZPtNU1YWRY%3D&skn=registration&se=1893456000',
};

/**
 * How each client writes its token. audience: how {scope}/registrations/{id} becomes sr;
 * lowerHex: hex digits of the percent-encoding of sig; ttl in seconds; skn undefined: the field is absent.
 */
const forms = {
  c: { audience: 'lower-hex', lowerHex: true, fields: ['sr', 'sig', 'se', 'skn'], skn: 'registration', ttl: 2400 },
  csharp: { audience: 'upper-hex', fields: ['sr', 'sig', 'se', 'skn'], skn: 'registration', ttl: 86400 },
  java: { audience: 'plain', fields: ['sr', 'sig', 'se', 'skn'], skn: '', ttl: 3600 },
  node: { audience: 'plain', fields: ['sr', 'sig', 'skn', 'se'], skn: 'registration', ttl: 3600 },
  python: { audience: 'upper-hex', fields: ['sr', 'sig', 'se'], ttl: 3600 },
  embedded: { audience: 'lower-hex', lowerHex: true, fields: ['sr', 'sig', 'se'], ttl: 3600 },
  'embedded with skn': { audience: 'lower-hex', lowerHex: true, fields: ['sr', 'sig', 'se', 'skn'], skn: 'registration', ttl: 3600 },
  identity: { audience: 'lower-cased', fields: ['sr', 'sig', 'se', 'skn'], skn: 'registration', ttl: 30 },
  'docs sample': { audience: 'upper-hex', fields: ['sr', 'sig', 'se', 'skn'], skn: 'registration', ttl: 3600 },
  'any order, a field that nobody knows': { audience: 'upper-hex', fields: ['se', 'skn', 'sig', 'sr'], skn: 'registration', ttl: 3600, extra: '&x=y' },
  'a clock a minute behind': { audience: 'upper-hex', fields: ['sr', 'sig', 'se'], ttl: -60 },
};

module.exports = { fixed, forms };
