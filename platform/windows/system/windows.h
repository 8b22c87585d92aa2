#pragma once

// Windows' own headers: all that this module uses, in the order and with the settings that they need, which
// no sorting of includes keeps. Nothing outside of platform/windows includes this.

#ifndef WIN32_LEAN_AND_MEAN
#define WIN32_LEAN_AND_MEAN
#endif
#ifndef NOMINMAX
#define NOMINMAX
#endif
// clang-format off
#include <winsock2.h>
#include <ws2tcpip.h>
#include <windows.h>
#include <evntrace.h>
#include <evntcons.h>
#include <aclapi.h>
#include <iphlpapi.h>
#include <netioapi.h>
#include <psapi.h>
#include <sddl.h>
#include <shlobj.h>
#include <tlhelp32.h>
#include <winioctl.h>
#include <winternl.h>
#include <wtsapi32.h>
#include <fwpmu.h>
// clang-format on
#ifdef interface
#undef interface  // a name like any other here
#endif
