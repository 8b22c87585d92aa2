#pragma once

// What a host does when its isolation.state is damaged, or gone while rules stand (ISO-5): the closed side.
// Whether it was isolated cannot be known any more, so it is taken for isolated: everything shut but the
// controllers, whose addresses are known from elsewhere, until an operator says what is right.

#include <filesystem>
#include <string_view>
#include <vector>

#include "common/base/clock.h"
#include "common/base/network.h"
#include "cordon/v1/local.pb.h"

namespace cordon::agent {

// The state that takes a damaged one's place: controller-only, without an order, `why` in its note. Which
// order came last is lost with the file: its sequence is one that only orders made from now on exceed
// (ISO-9), or from the end of the host's certificate on when that is earlier: the clock may be wrong by
// years.
v1::IsolationState ClosedState(const std::filesystem::path& state_dir, std::string_view why,
                               const Clock& clock);

// True for what ClosedState makes.
bool IsClosedState(const v1::IsolationState& state);

// The controllers' addresses as the enrolment file and the link's address book have them. Never fails: what
// cannot be read is left out.
std::vector<Endpoint> KnownControllers(const std::filesystem::path& state_dir);

// The addresses that a state has kept; lines that are none are left out.
std::vector<Endpoint> ControllersOf(const v1::IsolationState& state);

}  // namespace cordon::agent
