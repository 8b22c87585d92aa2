#pragma once

// Operators who may unlock, for tests of AUT-5.

#include <string>

#include "common/base/uuid.h"
#include "common/crypto/ed25519.h"
#include "common/crypto/x25519.h"
#include "common/wire/unlock.h"
#include "tests/support/test_fleet.h"

namespace cordon::testing {

struct UnlockPerson {
  std::string id = NewUuid();
  std::string name = "alex";
  KeyPtr key = Must(NewX25519Key());

  std::string PublicKey() const { return Must(RawX25519PublicKey(*key)); }

  // As a trust bundle names them.
  v1::TrustedOperator Trusted(v1::TrustedOperator::Role role = v1::TrustedOperator::ROLE_UNLOCK) const {
    v1::TrustedOperator trusted;
    trusted.set_operator_id(id);
    trusted.set_name(name);
    trusted.set_ed25519_public_key(Must(RawPublicKey(*Must(NewSigningKey()))));
    trusted.add_roles(role);
    trusted.set_unlock_public_key(PublicKey());
    return trusted;
  }

  // The code that they read out for `challenge`, between the parties as they know them.
  std::string CodeFor(UnlockParties parties, const std::string& challenge) const {
    parties.operator_id = id;
    parties.operator_public_key = PublicKey();
    return Must(UnlockCode(parties, Must(ReadUnlockChallenge(challenge)), *key));
  }
};

}  // namespace cordon::testing
