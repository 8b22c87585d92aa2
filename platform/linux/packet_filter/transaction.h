#pragma once

// The pure half of changing the kernel's rules: from tables that stand to tables that are wanted, as the text
// of one nftables transaction each. See Slot in ruleset.h for what ISO-1 asks of them.

#include <string>
#include <vector>

#include "platform/linux/packet_filter/ruleset.h"
#include "platform/linux/packet_filter/set_elements.h"

namespace cordon::platform {

// From whatever stands, known or not. Packets may be judged by neither old nor new rules for a moment: for a
// host on which nothing of Cordon's stands, or something that Cordon did not write.
std::string FormatFresh(const std::vector<Table>& wanted);

// A change from `standing`, which has to be what the kernel holds, to `wanted` in a slot that is not live in
// `standing`, is two transactions. The first one fills the slot: nothing is judged by it yet. It is one of
// its own because the kernel lets packets look into a new set only some time after the commit that made it.
// The second one is the change: it turns the hooked chains, and touches no set. The live slot of `standing`
// is left as it is. When `standing` is not what the kernel holds, the first one is refused.
// `with_elements` false: the sets of `wanted` are left empty, for ElementsToFill.
std::string FormatFill(const std::vector<Table>& standing, const std::vector<Table>& wanted,
                       bool with_elements = true);
std::string FormatTurn(const std::vector<Table>& standing, const std::vector<Table>& wanted);

// What is to go into the sets of `wanted`, all of them empty; refers to it.
std::vector<ElementChange> ElementsToFill(const std::vector<Table>& wanted);

// What stands after the first, and after both.
std::vector<Table> AfterFill(const std::vector<Table>& standing, std::vector<Table> wanted);
std::vector<Table> AfterTurn(const std::vector<Table>& standing, std::vector<Table> wanted);

// Takes every chain of `standing` off its hook; from then on nothing is judged. What the chains jumped to
// stays.
std::string FormatUnhook(const std::vector<Table>& standing);

// Deletes what stands and is not wanted: a slot that is not live. Changes no verdict. Empty when there is
// nothing to delete.
std::string FormatTidy(const std::vector<Table>& standing, const std::vector<Table>& wanted);

// From the addresses of the live name sets in `standing` to `wanted`, which it refers to: single ones are
// added and deleted, so that a packet that looks into a set meanwhile finds what both hold (ISO-1).
std::vector<ElementChange> NameChanges(const std::vector<Table>& standing,
                                       const std::vector<AddressSet>& wanted);

// Deletes both tables.
std::string FormatRemoval();

}  // namespace cordon::platform
