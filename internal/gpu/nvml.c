#include "nvml.h"

#include <dlfcn.h>
#include <stdio.h>
#include <string.h>

_Static_assert(sizeof(nvmlPciInfo_t) == 68, "nvmlPciInfo_t of nvml.h");
_Static_assert(sizeof(nvmlProcessInfo_t) == 24, "nvmlProcessInfo_v2_t of nvml.h");

void *lb_nvml_open(const char *name, char **reason) {
  void *library = dlopen(name, RTLD_NOW | RTLD_LOCAL);
  if (!library)
    *reason = strdup(dlerror()); // dlerror's own is the thread's, and Go changes threads
  return library;
}

void lb_nvml_close(void *library) { dlclose(library); }

#define CALL(function, types, ...)                                                                 \
  nvmlReturn_t(*f) types = (nvmlReturn_t(*) types)dlsym(library, function);                        \
  return f ? f(__VA_ARGS__) : NVML_ERROR_FUNCTION_NOT_FOUND

nvmlReturn_t lb_nvml_init(void *library) { CALL("nvmlInit_v2", (void)); }

nvmlReturn_t lb_nvml_shutdown(void *library) { CALL("nvmlShutdown", (void)); }

const char *lb_nvml_error(void *library, nvmlReturn_t code) {
  const char *(*f)(nvmlReturn_t) = (const char *(*)(nvmlReturn_t))dlsym(library, "nvmlErrorString");
  return f ? f(code) : NULL;
}

nvmlReturn_t lb_nvml_count(void *library, unsigned int *count) {
  CALL("nvmlDeviceGetCount_v2", (unsigned int *), count);
}

nvmlReturn_t lb_nvml_by_index(void *library, unsigned int index, nvmlDevice_t *device) {
  CALL("nvmlDeviceGetHandleByIndex_v2", (unsigned int, nvmlDevice_t *), index, device);
}

nvmlReturn_t lb_nvml_by_uuid(void *library, const char *uuid, nvmlDevice_t *device) {
  CALL("nvmlDeviceGetHandleByUUID", (const char *, nvmlDevice_t *), uuid, device);
}

nvmlReturn_t lb_nvml_uuid(void *library, nvmlDevice_t device, char *uuid, unsigned int length) {
  CALL("nvmlDeviceGetUUID", (nvmlDevice_t, char *, unsigned int), device, uuid, length);
}

nvmlReturn_t lb_nvml_name(void *library, nvmlDevice_t device, char *name, unsigned int length) {
  CALL("nvmlDeviceGetName", (nvmlDevice_t, char *, unsigned int), device, name, length);
}

nvmlReturn_t lb_nvml_pci(void *library, nvmlDevice_t device, nvmlPciInfo_t *pci) {
  CALL("nvmlDeviceGetPciInfo_v3", (nvmlDevice_t, nvmlPciInfo_t *), device, pci);
}

nvmlReturn_t lb_nvml_process_name(void *library, unsigned int pid, char *name, unsigned int length) {
  CALL("nvmlSystemGetProcessName", (unsigned int, char *, unsigned int), pid, name, length);
}

// Drivers 535.43 to 535.86 have a _v3 that writes entries of 32 bytes, 535.98 has none, and 535.104
// brought the _v3 of today, with _v2's 24 bytes, together with nvmlDeviceGetRunningProcessDetailList
// (nvml.h in NVIDIA/nvidia-settings). _v2 has been the same since 450.66.
nvmlReturn_t lb_nvml_processes(void *library, const char *kind, nvmlDevice_t device, unsigned int *count, nvmlProcessInfo_t *infos) {
  const char *version = dlsym(library, "nvmlDeviceGetRunningProcessDetailList") ? "v3" : "v2";
  char function[64]; // such as nvmlDeviceGetComputeRunningProcesses_v3
  snprintf(function, sizeof function, "nvmlDeviceGet%sRunningProcesses_%s", kind, version);
  CALL(function, (nvmlDevice_t, unsigned int *, nvmlProcessInfo_t *), device, count, infos);
}
