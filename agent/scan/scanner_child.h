#pragma once

namespace cordon::agent {

// The scanning process: answers scanner_wire.h's requests until its parent has no more. To be called first
// thing in a program that StartSandboxedChild began. Returns the exit status.
int RunScannerChild();

}  // namespace cordon::agent
