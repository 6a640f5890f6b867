// JSON that RFC 8259 does not allow, or that is more than a service should take. Each is the whole body of a PUT of an
// enrollment and must be answered with 400.
'use strict';

/** A good enrollment but for one value, written in as it is. */
const withValue = (id, text) => `{"registrationId":"${id}","attestation":{"type":"symmetricKey"},"initialTwin":{"tags":{"a":${text}},"properties":{"desired":{}}}}`;

function rows(id) {
  const values = {
    'no value': '', 'a bare word': 'word', 'True': 'True', 'nul': 'nul', 'undefined': 'undefined', 'NaN': 'NaN', 'Infinity': 'Infinity',
    'minus Infinity': '-Infinity', 'a plus sign': '+1', 'a leading zero': '01', 'a minus and a leading zero': '-01', 'a lone minus': '-',
    'a number that begins with a dot': '.5', 'a number that ends with a dot': '5.', 'an exponent without digits': '1e', 'an exponent with only a sign': '1e+',
    'a hexadecimal number': '0x10', 'two dots': '1.2.3', 'a number of 1e400': '1e400', 'a number with an underscore': '1_000',
    'a single-quoted string': "'x'", 'an unended string': '"x', 'an unknown escape': '"\\x41"', 'a short \\u': '"\\u12"', 'a \\u that is no hex': '"\\u12g4"',
    'a lone high surrogate': '"\\ud800"', 'a lone low surrogate': '"\\udc00"', 'surrogates the wrong way round': '"\\udc00\\ud800"', 'an escape at the end': '"\\',
    'a raw line feed in a string': '"a\nb"', 'a raw tab in a string': '"a\tb"', 'a raw NUL in a string': '"a\0b"', 'an escaped NUL in a key': '{"a\\u0000b":1}',
    'an unended array': '[1', 'an array closed with a brace': '[1}', 'a trailing comma in an array': '[1,]', 'a leading comma in an array': '[,1]',
    'two commas': '[1,,2]', 'no comma': '[1 2]', 'an unended object': '{"x":1', 'an object closed with a bracket': '{"x":1]', 'a trailing comma in an object': '{"x":1,}',
    'a key without quotes': '{x:1}', 'a number as a key': '{1:1}', 'no colon': '{"x" 1}', 'two colons': '{"x"::1}', 'no value after a colon': '{"x":}',
    'a key twice': '{"x":1,"x":2}', 'a key twice, once escaped': '{"x":1,"\\u0078":2}', 'a line comment': '1 // one\n', 'a block comment': '/* one */ 1',
    'a form feed as white space': '\f1', 'a no-break space': '\u00a01', '33 arrays': `${'['.repeat(33)}1${']'.repeat(33)}`,
    '33 objects': `${'{"x":'.repeat(33)}1${'}'.repeat(33)}`, '40,000 opened arrays': '['.repeat(40000), '10,000 nested objects': `${'{"x":'.repeat(10000)}1${'}'.repeat(10000)}`,
    'an integer of 400 digits': '9'.repeat(400),
  };
  const wholes = {
    'an empty body': '', 'white space': '  \r\n', 'null': 'null', 'a number': '1', 'a string': '"x"', 'an array': '[]', 'two documents': `${withValue(id, '1')}{}`,
    'a byte order mark': `\ufeff${withValue(id, '1')}`, 'text after the document': `${withValue(id, '1')}x`, 'a NUL after the document': `${withValue(id, '1')}\0`,
    'half a document': withValue(id, '1').slice(0, 30), 'only an opened object': '{', 'only a closed object': '}',
  };
  const raw = {
    'UTF-16': Buffer.from(withValue(id, '1'), 'utf16le'),
    'a byte that is no UTF-8': Buffer.from(withValue(id, '"\xff"'), 'latin1'),
    'overlong UTF-8': Buffer.concat([Buffer.from(withValue(id, '"@"').split('@')[0]), Buffer.from([0xc0, 0xaf]), Buffer.from(withValue(id, '"@"').split('@')[1])]),
    'a surrogate as UTF-8': Buffer.concat([Buffer.from(withValue(id, '"@"').split('@')[0]), Buffer.from([0xed, 0xa0, 0x80]), Buffer.from(withValue(id, '"@"').split('@')[1])]),
    'UTF-8 cut off': Buffer.concat([Buffer.from(withValue(id, '"@"').split('@')[0]), Buffer.from([0xe2, 0x82]), Buffer.from(withValue(id, '"@"').split('@')[1])]),
    'UTF-8 beyond U+10FFFF': Buffer.concat([Buffer.from(withValue(id, '"@"').split('@')[0]), Buffer.from([0xf4, 0x90, 0x80, 0x80]), Buffer.from(withValue(id, '"@"').split('@')[1])]),
  };
  return [
    ...Object.entries(values).map(([name, text]) => ({ name, body: Buffer.from(withValue(id, text)) })),
    ...Object.entries(wholes).map(([name, text]) => ({ name, body: Buffer.from(text) })),
    ...Object.entries(raw).map(([name, body]) => ({ name, body })),
  ];
}

/** What must be taken, so that the rows above prove something: each a value of a tag, and what comes back. */
const good = {
  'all escapes': ['"\\"\\\\\\/\\b\\f\\n\\r\\t\\u00e9"', '"\\/\b\f\n\r\t\u00e9'],
  'a surrogate pair': ['"\\ud83d\\ude00"', '\ud83d\ude00'],
  'a large integer': ['4503599627370495', 4503599627370495],
  'a number with everything': ['-1.25e-3', -0.00125],
  'twenty objects': [`${'{"x":'.repeat(20)}1${'}'.repeat(20)}`, JSON.parse(`${'{"x":'.repeat(20)}1${'}'.repeat(20)}`)],
  'white space everywhere': [' [ 1 ,\t2 ,\r\n3 ] ', [1, 2, 3]],
  'empty array, empty object, empty string': ['[[],{},""]', [[], {}, '']],
};

module.exports = { rows, good, withValue };
