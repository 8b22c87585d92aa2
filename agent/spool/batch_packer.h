#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "agent/spool/spool.h"
#include "cordon/v1/event.pb.h"

namespace cordon::agent {

// A batch before it has its place in the chain: sequence, previous_hash and chain_id are not set.
// Splits groups so that every batch keeps the bounds of common/wire/batch_codec.h. An event that is too large
// for a batch of its own becomes a gap event in a batch of class CONTROL at the end. Pure.
std::vector<v1::Batch> PackBatches(const std::vector<EventGroup>& groups);

}  // namespace cordon::agent
