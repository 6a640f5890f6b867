// What must come out, by the words of service-api D.3 to D.5, A.10 and H.2 and H.3; nothing here was read off a running usherd.
'use strict';

const RULES = {
  migrate: { reprovision: { updateHubAssignment: true, migrateDeviceData: true }, as: 'migrate' },
  reset: { reprovision: { updateHubAssignment: true, migrateDeviceData: false }, as: 'reset' },
  never: { reprovision: { updateHubAssignment: false, migrateDeviceData: false }, as: 'never' },
  // D.3: without the object, a device of API 2018-04-01 sticks to its first hub, and a newer one (the SDK) is as true/true
  'none said, old API': { version: '2018-04-01', as: 'never' },
  'none said': { as: 'migrate' },
};

/**
 * What each policy is told before and after (hub names; A is nearest to the devices, then B), and where its devices are then.
 * `hubs` undefined: by hash, where only the two together say which.
 */
const POLICIES = {
  static: { before: ['a'], after: ['b'], first: 'a', then: 'b' },
  hashed: { before: ['a', 'b'], after: 'the other' },
  geoLatency: { before: ['a', 'b'], after: ['b', 'c'], first: 'a', then: 'b' },
  custom: { before: ['a', 'b'], after: ['a', 'b'], first: 'a', then: 'b' }, // and the function changes its mind
};

/**
 * By what happened since the first registration, and the rule: where the device is (`home`: where it was; `other`: where the policy
 * says now), what the service's record says of it, its twin, and what became of the identity at the hub that it left.
 * What a device is told is the same, but D.4: the API of the SDK, 2019-03-31, does not know reprovisionedToInitialAssignment.
 *
 * Twins. `fresh`: the enrollment's initial twin, nothing reported; versions of a twin that was made and had its desired properties
 * set once (H.2, D.3: reported.$version 1). `kept`: as operator and device left it, at the version that it had. `moved`: the same
 * content; reported.$version is 2 (D.3: one property, written once). `adopted`: tags and desired properties of the
 * enrollment, the next version of them; the device's own reported ones, untouched (D.5: the identity is re-used).
 */
const STAYS = {
  migrate: { at: 'home', substatus: 'reprovisionedToInitialAssignment', twin: 'kept' },
  reset: { at: 'home', substatus: 'deviceDataReset', twin: 'fresh' },
  never: { at: 'home', substatus: 'initialAssignment', twin: 'kept' },
};
const same = (outcome) => ({ migrate: outcome, reset: outcome, never: outcome });
const OUTCOMES = {
  'the first time': same({ at: 'home', substatus: 'initialAssignment', twin: 'fresh' }),
  'the same hub': STAYS,
  'its hub changed by the policy': {
    migrate: { at: 'other', substatus: 'deviceDataMigrated', twin: 'moved', left: 'gone' },
    reset: { at: 'other', substatus: 'deviceDataReset', twin: 'fresh', left: 'gone' },
    never: STAYS.never,
  },
  "its enrollment's device ID changed": STAYS, // A.10: takes effect only once the registration is deleted
  'its registration deleted': same({ at: 'home', substatus: 'initialAssignment', twin: 'adopted' }),
  // Its data cannot be read any more, and its identity there cannot be removed: it is known as left behind.
  'its hub unlinked': same({ at: 'other', substatus: 'deviceDataReset', twin: 'fresh', left: 'kept' }),
};

/** D.4. */
function toldToOldDevices(substatus) {
  return substatus === 'reprovisionedToInitialAssignment' ? 'initialAssignment' : substatus;
}

module.exports = { RULES, POLICIES, OUTCOMES, toldToOldDevices };
