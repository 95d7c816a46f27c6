// The one device, an H100 as its data sheet and PG "Compute Capabilities / Technical Specifications" (9.0) have it: API "Device
// Management". Its name ends in " (stand-in)", by which internal/torch knows it.
#include "runtime.h"

#include <stdio.h>
#include <string.h>

#include <utility>

using namespace fake;

static const cudaDeviceProp &properties() {
  static const cudaDeviceProp made = [] {
    cudaDeviceProp p;
    memset(&p, 0, sizeof p);
    size_t left;
    cudaMemGetInfo(&left, &p.totalGlobalMem);
    strcpy(p.name, "NVIDIA H100 80GB HBM3 (stand-in)");
    memcpy(&p.uuid, "stand-in for GPU", 16);
    p.major = 9;
    p.warpSize = 32;
    p.multiProcessorCount = 132;
    p.maxThreadsPerBlock = p.maxThreadsDim[0] = p.maxThreadsDim[1] = 1024;
    p.maxThreadsDim[2] = 64;
    p.maxGridSize[0] = 0x7fffffff;
    p.maxGridSize[1] = p.maxGridSize[2] = 65535;
    p.maxThreadsPerMultiProcessor = 2048;
    p.maxBlocksPerMultiProcessor = 32;
    p.regsPerBlock = p.regsPerMultiprocessor = 65536;
    p.sharedMemPerBlock = 48 << 10;
    p.sharedMemPerBlockOptin = 227 << 10;
    p.sharedMemPerMultiprocessor = 228 << 10;
    p.reservedSharedMemPerBlock = 1024;
    p.totalConstMem = 64 << 10;
    p.memPitch = 0x7fffffff;
    p.memoryBusWidth = 5120;
    p.l2CacheSize = 50 << 20;
    p.persistingL2CacheMaxSize = 32768000;
    p.accessPolicyMaxWindowSize = 134213632;
    p.textureAlignment = 512;
    p.texturePitchAlignment = 32;
    p.maxTexture1D = 131072;
    p.asyncEngineCount = 3;
    p.pciBusID = 4;
    p.hostNumaId = -1;
    p.canMapHostMemory = p.concurrentKernels = p.ECCEnabled = p.unifiedAddressing = p.streamPrioritiesSupported = 1;
    p.globalL1CacheSupported = p.localL1CacheSupported = p.managedMemory = p.concurrentManagedAccess = 1;
    p.computePreemptionSupported = p.canUseHostPointerForRegisteredMem = p.cooperativeLaunch = p.clusterLaunch = 1;
    p.hostRegisterSupported = p.memoryPoolsSupported = p.unifiedFunctionPointers = p.ipcEventSupported = 1;
    return p;
  }();
  return made;
}

API cudaError_t cudaGetDeviceProperties(cudaDeviceProp *p, int d) {
  if (d)
    return fail("cudaGetDeviceProperties", cudaErrorInvalidDevice);
  *p = properties();
  return cudaSuccess;
}

API cudaError_t cudaDeviceGetAttribute(int *v, cudaDeviceAttr a, int d) {
  if (d)
    return fail("cudaDeviceGetAttribute", cudaErrorInvalidDevice);
  auto &p = properties();
  const std::pair<cudaDeviceAttr, long> values[] = {
      {cudaDevAttrMaxThreadsPerBlock, p.maxThreadsPerBlock}, {cudaDevAttrMaxBlockDimX, p.maxThreadsDim[0]},
      {cudaDevAttrMaxBlockDimY, p.maxThreadsDim[1]}, {cudaDevAttrMaxBlockDimZ, p.maxThreadsDim[2]},
      {cudaDevAttrMaxGridDimX, p.maxGridSize[0]}, {cudaDevAttrMaxGridDimY, p.maxGridSize[1]},
      {cudaDevAttrMaxGridDimZ, p.maxGridSize[2]}, {cudaDevAttrMaxSharedMemoryPerBlock, p.sharedMemPerBlock},
      {cudaDevAttrWarpSize, p.warpSize}, {cudaDevAttrMultiProcessorCount, p.multiProcessorCount},
      {cudaDevAttrComputeCapabilityMajor, p.major}, {cudaDevAttrComputeCapabilityMinor, p.minor},
      {cudaDevAttrMaxSharedMemoryPerMultiprocessor, p.sharedMemPerMultiprocessor},
      {cudaDevAttrMaxSharedMemoryPerBlockOptin, p.sharedMemPerBlockOptin},
      {cudaDevAttrReservedSharedMemoryPerBlock, p.reservedSharedMemPerBlock},
      {cudaDevAttrMaxThreadsPerMultiProcessor, p.maxThreadsPerMultiProcessor},
      {cudaDevAttrMaxBlocksPerMultiprocessor, p.maxBlocksPerMultiProcessor}, {cudaDevAttrMaxRegistersPerBlock, p.regsPerBlock},
      {cudaDevAttrMaxRegistersPerMultiprocessor, p.regsPerMultiprocessor}, {cudaDevAttrL2CacheSize, p.l2CacheSize},
      {cudaDevAttrTextureAlignment, p.textureAlignment}, {cudaDevAttrIntegrated, 0}, {cudaDevAttrCooperativeLaunch, 1},
      {cudaDevAttrPageableMemoryAccess, 0}, {cudaDevAttrHostRegisterSupported, 1}, {cudaDevAttrMemoryPoolsSupported, 1},
      {cudaDevAttrClockRate, 1980000}, {cudaDevAttrMemoryClockRate, 2619000}, {cudaDevAttrGlobalMemoryBusWidth, p.memoryBusWidth},
  };
  for (auto &[attribute, value] : values)
    if (attribute == a)
      return *v = static_cast<int>(value), cudaSuccess;
  fake_trap(("cudaDeviceGetAttribute " + std::to_string(a)).c_str());
}

API cudaError_t cudaGetDeviceCount(int *n) { return *n = 1, cudaSuccess; }
API cudaError_t cudaGetDevice(int *d) { return *d = 0, cudaSuccess; }
API cudaError_t cudaSetDevice(int d) { return d ? fail("cudaSetDevice", cudaErrorInvalidDevice) : cudaSuccess; }
API cudaError_t cudaDeviceCanAccessPeer(int *can, int, int) { return *can = 0, cudaSuccess; }
API cudaError_t cudaDeviceGetPCIBusId(char *s, int n, int d) {
  return d ? fail("cudaDeviceGetPCIBusId", cudaErrorInvalidDevice) : (snprintf(s, n, "0000:04:00.0"), cudaSuccess);
}
API cudaError_t cudaDriverGetVersion(int *v) { return *v = CUDART_VERSION, cudaSuccess; }
API cudaError_t cudaRuntimeGetVersion(int *v) { return *v = CUDART_VERSION, cudaSuccess; }
API cudaError_t cudaProfilerStart() { return cudaSuccess; }
API cudaError_t cudaProfilerStop() { return cudaSuccess; }

// API "Driver Entry Point Access": libtorch asks for all functions of the driver that it may ever call, and calls none of them
// here. Each gets a function of its own that ends the process with its name.
namespace {
constexpr size_t slots = 128;
std::string names[slots];
template <size_t i> void trap() { fake_trap((names[i] + " (driver)").c_str()); }
template <size_t... i> void *slot(size_t n, std::index_sequence<i...>) {
  static void (*const traps[])() = {trap<i>...};
  return reinterpret_cast<void *>(traps[n]);
}
} // namespace

API cudaError_t cudaGetDriverEntryPointByVersion(const char *name, void **f, unsigned, unsigned long long,
                                                 cudaDriverEntryPointQueryResult *status) {
  LOCK;
  size_t n = 0;
  while (n < slots && !names[n].empty() && names[n] != name)
    n++;
  if (n == slots)
    fake_trap("as many functions of the driver as were asked for");
  names[n] = name;
  *f = slot(n, std::make_index_sequence<slots>());
  if (status)
    *status = cudaDriverEntryPointSuccess;
  return cudaSuccess;
}
