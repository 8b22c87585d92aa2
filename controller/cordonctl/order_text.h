#pragma once

// Orders and their outcomes in words, for people.

#include <span>
#include <string>
#include <vector>

#include "cordon/v1/operator.pb.h"

namespace cordon::ctl {

// "isolate to essential with profile 'clinic' (6 rules) for 4h, fallback hold".
std::string DescribeAction(const v1::Order& order);

// What an isolate order leaves open, a line per rule: "out tcp 10.0.0.1/32 :443  (the practice system)".
std::vector<std::string> DescribeRules(const v1::Order& order);

// "2 hosts (leeds), site york, label role=reception", "all hosts".
std::string DescribeTarget(const v1::Target& target);

// "12 hosts: leeds 7, york 5".
std::string DescribeHosts(std::span<const v1::Host> hosts);

// "essential, contained", "no-lateral, partial: reason; reason".
std::string DescribeReceipt(const v1::Receipt& receipt);

}  // namespace cordon::ctl
