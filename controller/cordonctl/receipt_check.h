#pragma once

// Receipts as an operator may believe them (ISO-7): by the host's signature, whatever the controller says.

#include <boost/json/object.hpp>
#include <cstdint>
#include <string>
#include <vector>

#include "cordon/v1/operator.pb.h"

namespace cordon::ctl {

struct CheckedReceipt {
  v1::Receipt receipt;  // what the host signed; when not verified, what came
  bool verified = false;
  std::vector<std::string> notes;  // why it is not verified, then its reasons
};

// `ca_pem` is that of the operator's identity file, not one that the controller names.
CheckedReceipt CheckReceipt(const v1::Receipt& receipt, const v1::Host& host, const std::string& ca_pem);

// Says what is, by its time: a receipt comes every hour, so that one of more than two hours ago is no news
// of a host, nor is one that is dated more than five minutes ahead.
bool IsFresh(const v1::Receipt& receipt, int64_t now_unix_nanos);

// "contained", "unverified".
std::string ContainmentWord(const CheckedReceipt& checked);
// "essential", "unknown", "unverified".
std::string LevelWord(const CheckedReceipt& checked);

// For those who judge by a receipt: as the host signed it; when not verified, one that claims nothing (no
// containment, no level) and says why.
v1::Receipt Believed(const CheckedReceipt& checked);

// As ToJson, with `verified`; what is not verified has the word "unverified" for its containment.
boost::json::object ReceiptJson(const CheckedReceipt& checked);

}  // namespace cordon::ctl
