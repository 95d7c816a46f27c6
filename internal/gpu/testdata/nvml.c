// A library that answers as NVIDIA's does, two GPUs and a part of one (MIG). It shares no declaration
// with what is tested: what it writes is placed by numbers, the offsets of nvml.h. What a driver's
// version has is said by macros:
//   V2, V3=SIZE   lists of processes, _v2 and _v3 with entries of SIZE bytes
//   DETAIL        nvmlDeviceGetRunningProcessDetailList
//   INIT=CODE     what nvmlInit_v2 gives
//   LOST          the second GPU has fallen off the bus
//   ENDLESS       no room is enough for the list of computing processes
//   LOG="FILE"    where starts and ends are written down
//   BARE          nothing but nvmlInit_v2 and nvmlShutdown
#include <stdint.h>
#include <stdio.h>
#include <string.h>

enum { SUCCESS, UNINITIALIZED, INVALID_ARGUMENT, NOT_SUPPORTED, NOT_FOUND = 6, INSUFFICIENT_SIZE = 7, LOST_GPU = 15 };

#ifndef INIT
#define INIT SUCCESS
#endif

static int started;

static void note(const char *what) {
#ifdef LOG
  FILE *f = fopen(LOG, "a");
  if (f) {
    fprintf(f, "%s\n", what);
    fclose(f);
  }
#else
  (void)what;
#endif
}

int nvmlInit_v2(void) {
  started = INIT == SUCCESS;
  note("init");
  return INIT;
}

int nvmlShutdown(void) {
  note("shutdown");
  if (!started)
    return UNINITIALIZED;
  started = 0;
  return SUCCESS;
}

#ifndef BARE

// Devices 0 and 1 are GPUs, 2 is the part. They begin at an odd number, which is no address.
#define FIRST 7u

const char *nvmlErrorString(int code) {
  switch (code) {
  case NOT_FOUND: return "Not Found";
  case INSUFFICIENT_SIZE: return "Insufficient Size";
  case 9: return "Driver Not Loaded";
  case LOST_GPU: return "GPU is lost";
  }
  return code == 77 ? NULL : "Unknown Error";
}

static int put(char *to, unsigned int length, const char *text) {
  if (length < 96)
    return INSUFFICIENT_SIZE;
  memset(to, '#', length);
  strcpy(to, text);
  return SUCCESS;
}

int nvmlDeviceGetCount_v2(unsigned int *n) {
  if (!started)
    return UNINITIALIZED;
  *n = 2;
  return SUCCESS;
}

int nvmlDeviceGetHandleByIndex_v2(unsigned int i, uintptr_t *device) {
  if (i >= 2)
    return INVALID_ARGUMENT;
#ifdef LOST
  if (i == 1)
    return LOST_GPU;
#endif
  *device = FIRST + i;
  return SUCCESS;
}

static const char *uuids[] = {"GPU-8932f937-d72c-4106-c12f-20bd9faed9f6", "GPU-1111", "MIG-cc/1/0"};

int nvmlDeviceGetHandleByUUID(const char *uuid, uintptr_t *device) {
  for (unsigned int i = 0; i < 3; i++)
    if (!strcmp(uuid, uuids[i])) {
      *device = FIRST + i;
      return SUCCESS;
    }
  return NOT_FOUND;
}

int nvmlDeviceGetUUID(uintptr_t device, char *uuid, unsigned int length) { return put(uuid, length, uuids[device - FIRST]); }

int nvmlDeviceGetName(uintptr_t device, char *name, unsigned int length) {
  return put(name, length, device == FIRST ? "NVIDIA H100 80GB HBM3" : "NVIDIA A100-SXM4-40GB");
}

int nvmlDeviceGetPciInfo_v3(uintptr_t device, void *pci) {
  uint32_t at[3] = {0x10000, 0xc1, 0x1f};
  if (device != FIRST)
    memcpy(at, (uint32_t[]){0, 0x41, 0}, sizeof at);
  memset(pci, '#', 68);
  memcpy((char *)pci + 16, at, sizeof at);
  return SUCCESS;
}

// The name is cut off where the room ends, without the 0 that should follow.
int nvmlSystemGetProcessName(unsigned int pid, char *name, unsigned int length) {
  if (pid == 4000001) {
    memset(name, 'x', length);
    return SUCCESS;
  }
  return pid == 4000000 ? put(name, length, "/usr/bin/python3") : NOT_FOUND;
}

static void entry(char *to, uint32_t pid, uint64_t bytes, unsigned int size) {
  memset(to, '#', size);
  memcpy(to, &pid, 4);
  memcpy(to + 8, &bytes, 8);
}

// Processes start all the time on device 0: there are 40 when it is asked first, and 100 from then on.
static int compute(uintptr_t device, unsigned int *n, char *infos, unsigned int size) {
  static unsigned int running = 40;
  if (!started)
    return UNINITIALIZED;
  unsigned int here = device == FIRST ? running : device == FIRST + 1 ? 0 : 1, room = *n;
  running = 100;
#ifdef ENDLESS
  here = room + 1;
#endif
  *n = here;
  if (room < here)
    return INSUFFICIENT_SIZE;
  for (unsigned int i = 0; i < here; i++)
    entry(infos + i * size, 4000000 + i, ((uint64_t)80 << 30) + i, size);
  return SUCCESS;
}

// Device 0 draws nothing. On device 1 three processes draw, and of two of them nobody knows the memory.
static int graphics(uintptr_t device, unsigned int *n, char *infos, unsigned int size) {
  if (device == FIRST + 2)
    return NOT_SUPPORTED;
  unsigned int room = *n;
  *n = device == FIRST ? 0 : 3;
  if (room < *n)
    return INSUFFICIENT_SIZE;
  if (*n) {
    entry(infos, 21, 5 << 20, size);
    entry(infos + size, 22, ~(uint64_t)0, size);
    entry(infos + 2 * size, 23, ~(uint64_t)0, size);
  }
  return SUCCESS;
}

// On device 1 two of those that draw are clients of the MPS server too, and either list may have the memory.
static int mps(uintptr_t device, unsigned int *n, char *infos, unsigned int size) {
  if (device != FIRST + 1)
    return NOT_SUPPORTED;
  *n = 2;
  entry(infos, 22, 7 << 20, size);
  entry(infos + size, 21, 3 << 20, size);
  return SUCCESS;
}

#define LISTS(version, size)                                                                                                                   \
  int nvmlDeviceGetComputeRunningProcesses_##version(uintptr_t d, unsigned int *n, void *infos) { return compute(d, n, infos, size); }         \
  int nvmlDeviceGetGraphicsRunningProcesses_##version(uintptr_t d, unsigned int *n, void *infos) { return graphics(d, n, infos, size); }       \
  int nvmlDeviceGetMPSComputeRunningProcesses_##version(uintptr_t d, unsigned int *n, void *infos) { return mps(d, n, infos, size); }

#ifdef V2
LISTS(v2, 24)
#endif
#ifdef V3
LISTS(v3, V3)
#endif
#ifdef DETAIL
int nvmlDeviceGetRunningProcessDetailList(uintptr_t device, void *list) {
  (void)device, (void)list;
  return NOT_SUPPORTED;
}
#endif

#endif
