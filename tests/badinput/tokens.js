// Tokens that must not be taken. Each row makes a token from what a good one is made of: audience and key of the device
// or policy that asks. All are answered with 401 over HTTPS and CONNACK 5 over MQTT, but for `status`, where HTTP itself
// does not allow such a header.
'use strict';

const sas = require('../lib/sas');

/** `audience` is the decoded resource, `key` the right key, `other` the audience of somebody else. */
function rows({ audience, key, other, skn }) {
  const sr = sas.encode(audience);
  const se = sas.inSeconds(3600);
  const base = { sr, key, se, skn };
  const sig = (text = sr, at = se) => sas.encode(sas.signature(text, at, key));
  const raw = (text) => `SharedAccessSignature ${text}`;
  const tail = skn === undefined ? '' : `&skn=${skn}`;
  const signed = (more) => sas.token({ ...base, ...more });
  const whole = signed({});
  const flipped = Buffer.from(sas.signature(sr, se, key), 'base64');
  flipped[31] ^= 1;
  return Object.entries({
    'an empty token': '', 'a scheme only': 'SharedAccessSignature', 'a scheme and a space': 'SharedAccessSignature ', 'no scheme': whole.replace('SharedAccessSignature ', ''),
    'another scheme': whole.replace('SharedAccessSignature', 'Bearer'), 'a scheme in another form': whole.replace('SharedAccessSignature ', 'SharedAccessSignature='),
    'no sr': raw(`sig=${sig()}&se=${se}${tail}`), 'no sig': raw(`sr=${sr}&se=${se}${tail}`), 'no se': raw(`sr=${sr}&sig=${sig()}${tail}`),
    'an empty sr': raw(`sr=&sig=${sig('')}&se=${se}${tail}`), 'an empty sig': raw(`sr=${sr}&sig=&se=${se}${tail}`), 'an empty se': raw(`sr=${sr}&sig=${sig(sr, '')}&se=${tail}`),
    'sr twice': raw(`sr=${sr}&sr=${sr}&sig=${sig()}&se=${se}${tail}`), 'sr twice, first of another': raw(`sr=${sas.encode(other)}&sr=${sr}&sig=${sig()}&se=${se}${tail}`),
    'sig twice': raw(`sr=${sr}&sig=x&sig=${sig()}&se=${se}${tail}`), 'se twice, first an old one': raw(`sr=${sr}&sig=${sig()}&se=1&se=${se}${tail}`),
    'se twice, last an old one': raw(`sr=${sr}&sig=${sig()}&se=${se}&se=1${tail}`),
    'expired an hour ago': signed({ se: sas.inSeconds(-3600) }), 'expired in 1970': signed({ se: 1 }), 'se of 0': signed({ se: 0 }), 'a negative se': signed({ se: '-1' }),
    'a negative se far away': signed({ se: `-${se}` }), 'se with a plus sign': signed({ se: `+${se}` }), 'se of 2^63': signed({ se: '9223372036854775808' }),
    'se of 2^64 and an hour': signed({ se: String(18446744073709551616n + BigInt(se)) }), 'se of forty digits': signed({ se: '9'.repeat(40) }),
    'se in hexadecimal': signed({ se: `0x${se.toString(16)}` }), 'se with a fraction': signed({ se: `${se}.5` }), 'se with an exponent': signed({ se: '2e9' }),
    'se with a space': signed({ se: `${se} ` }), 'se that is a word': signed({ se: 'never' }), 'se as a date': signed({ se: '2030-01-01T00:00:00Z' }),
    'se changed after signing': whole.replace(`se=${se}`, `se=${se + 1}`), 'sr changed after signing': raw(`sr=${sr}%20&sig=${sig()}&se=${se}${tail}`),
    'sr of somebody else, signed with this key': signed({ sr: sas.encode(other) }), 'sr of somebody else, signature of this': raw(`sr=${sas.encode(other)}&sig=${sig()}&se=${se}${tail}`),
    ...(sas.encode(sr) === sr ? {} : { 'sr encoded twice': signed({ sr: sas.encode(sr) }) }), 'sr with a broken percent-encoding': signed({ sr: `${audience}%2` }), 'sr with a NUL': signed({ sr: `${sr}%00` }),
    'sr with one character less': signed({ sr: sr.slice(0, -1) }), 'sr with one character more': signed({ sr: `${sr}x` }),
    'one bit of the signature flipped': raw(`sr=${sr}&sig=${sas.encode(flipped.toString('base64'))}&se=${se}${tail}`),
    'a signature cut short': raw(`sr=${sr}&sig=${sas.encode(sas.signature(sr, se, key).slice(0, 20))}&se=${se}${tail}`),
    'a signature with bytes after it': raw(`sr=${sr}&sig=${sas.encode(Buffer.concat([Buffer.from(sas.signature(sr, se, key), 'base64'), Buffer.from('xyz')]).toString('base64'))}&se=${se}${tail}`),
    'a signature that is no base64': raw(`sr=${sr}&sig=%21%21%21&se=${se}${tail}`), 'a signature with a broken percent-encoding': raw(`sr=${sr}&sig=${sig()}%&se=${se}${tail}`),
    'a signature of the wrong text': signed({ fields: ['sr', 'sig', 'se', 'skn'], key: Buffer.alloc(32, 5).toString('base64') }),
    'a signature made with an empty key': raw(`sr=${sr}&sig=${sas.encode(sas.signature(sr, se, ''))}&se=${se}${tail}`),
    'a control character': `${whole}\x01`, 'no fields but ampersands': raw('&&&&'), 'fields without an equals sign': raw('sr&sig&se'),
    'five hundred fields': raw(Array.from({ length: 500 }, () => 'x=y').join('&')),
  }).map(([name, token]) => ({ name, token, status: /[\0-\x08\x0a-\x1f\x7f]/.test(token) ? 400 : 401 }));
}

module.exports = { rows };
