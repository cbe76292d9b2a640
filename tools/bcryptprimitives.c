// The one function of Windows' bcryptprimitives.dll that Rust's standard library needs: Wine 8 does not have it.
#include <windows.h>
#include <ntsecapi.h>

__declspec(dllexport) BOOL WINAPI ProcessPrng(PBYTE data, SIZE_T length) {
    return RtlGenRandom(data, (ULONG)length);
}
