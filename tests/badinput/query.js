// Query text. `bad` must be answered with 400 and 400004; `harmless` looks for trouble and must find nothing, or all.
'use strict';

const FROM = 'SELECT * FROM enrollments WHERE ';

const bad = {
  'no condition': FROM.trim(), 'no field': `${FROM}= 'x'`, 'no operator': `${FROM}registrationId 'x'`, 'no value': `${FROM}registrationId =`,
  'an unended string': `${FROM}registrationId = 'x`, 'an unended string of a quote': `${FROM}registrationId = 'x''`, 'double quotes': `${FROM}registrationId = "x`,
  'an unknown operator': `${FROM}registrationId ~ 'x'`, 'a double equals sign': `${FROM}registrationId == 'x'`, 'an unknown field': `${FROM}unheardOf = 'x'`,
  'a field that must not be asked': `${FROM}attestation.symmetricKey.primaryKey = 'x'`, 'AND without a right side': `${FROM}registrationId = 'x' AND`,
  'AND without a left side': `${FROM}AND registrationId = 'x'`, 'OR alone': `${FROM}OR`, 'two conditions without a word': `${FROM}registrationId = 'x' deviceId = 'y'`,
  'an unopened bracket': `${FROM}registrationId = 'x')`, 'an unclosed bracket': `${FROM}(registrationId = 'x'`, 'empty brackets': `${FROM}()`,
  'IN without a list': `${FROM}registrationId IN`, 'IN with an empty list': `${FROM}registrationId IN ()`, 'IN with an unclosed list': `${FROM}registrationId IN ('x'`,
  'IN with a comma too many': `${FROM}registrationId IN ('x',)`, 'a second statement': `${FROM}registrationId = 'x'; DROP TABLE enrollments`,
  'a comment of SQL': `${FROM}registrationId = 'x' --`, 'a block comment of SQL': `${FROM}registrationId /* */ = 'x'`, 'a union': `${FROM}registrationId = 'x' UNION SELECT * FROM policies`,
  'a sub-query': `${FROM}registrationId = (SELECT 1)`, 'a function': `${FROM}hex(registrationId) = 'x'`, 'a parameter': `${FROM}registrationId = ?`, 'a named parameter': `${FROM}registrationId = :x`,
  'LIKE, which is not offered': `${FROM}registrationId LIKE '%'`, 'a NUL': `${FROM}registrationId = 'x'\0`, 'brackets, a thousand deep': `${FROM}${'('.repeat(1000)}registrationId = 'x'${')'.repeat(1000)}`,
  'NOT, a thousand times': `${FROM}${'NOT '.repeat(1000)}registrationId = 'x'`, 'ten thousand conditions': `${FROM}${Array.from({ length: 3000 }, () => "deviceId = 'x'").join(' OR ')}`,
  'text after the condition': `${FROM}registrationId = 'x' please`,
};

/** Each must find exactly nothing. */
const nothing = {
  'a quote doubled, with a condition inside': `${FROM}registrationId = 'x'' OR ''1''=''1'`,
  'a statement inside a string': `${FROM}registrationId = '''; DROP TABLE enrollments; --'`,
  'a wildcard inside a string': `${FROM}registrationId = '%'`,
  'an underscore inside a string': `${FROM}registrationId = '_______'`,
  'a line feed inside a string': `${FROM}registrationId = 'a\nb'`,
};

/** Continuation tokens that nobody was given. */
const continuations = ['x', '0', '-1', '../../etc/passwd', "' OR '1'='1", 'A'.repeat(3000), Buffer.from('enrollments\0zzz').toString('base64')];

/** Page sizes that are none. */
const counts = ['0', '-1', 'x', '1.5', '', '99999999999999999999', '+5'];

module.exports = { bad, nothing, continuations, counts };
