// The scanning process alone, as cordon-agent.exe runs it.

#include "agent/scan/scanner_child.h"

int main() {
  return cordon::agent::RunScannerChild();
}
