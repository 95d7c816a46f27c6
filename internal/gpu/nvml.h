// What is asked of NVIDIA's management library, NVML, which is opened at run time: names, numbers and
// layouts are those of its nvml.h, as of drivers 450.66 to 610. NVIDIA's Go binding is not used: its
// linker flag, which lets functions be missing, would hide a missing one of the whole program.
#ifndef LORABENCH_NVML_H
#define LORABENCH_NVML_H

#include <stdint.h>

typedef enum {
  NVML_SUCCESS = 0,
  NVML_ERROR_NOT_SUPPORTED = 3,
  NVML_ERROR_INSUFFICIENT_SIZE = 7,
  NVML_ERROR_FUNCTION_NOT_FOUND = 13,
} nvmlReturn_t;

// A pointer in nvml.h. It is only handed back, and Go would stumble over one that points nowhere.
typedef uintptr_t nvmlDevice_t;

typedef struct {
  char busIdLegacy[16];
  unsigned int domain, bus, device, pciDeviceId, pciSubSystemId;
  char busId[32];
} nvmlPciInfo_t;

typedef struct {
  unsigned int pid;
  unsigned long long usedGpuMemory;
  unsigned int gpuInstanceId, computeInstanceId;
} nvmlProcessInfo_t;

// lb_nvml_open opens the library called name. Where that fails it gives NULL and the reason, to be
// freed.
void *lb_nvml_open(const char *name, char **reason);
void lb_nvml_close(void *library);

// The others call NVML's function of that purpose; NVML_ERROR_FUNCTION_NOT_FOUND is also where this
// library has none.
nvmlReturn_t lb_nvml_init(void *library);
nvmlReturn_t lb_nvml_shutdown(void *library);
const char *lb_nvml_error(void *library, nvmlReturn_t code); // NULL where the library has no words for it
nvmlReturn_t lb_nvml_count(void *library, unsigned int *count);
nvmlReturn_t lb_nvml_by_index(void *library, unsigned int index, nvmlDevice_t *device);
nvmlReturn_t lb_nvml_by_uuid(void *library, const char *uuid, nvmlDevice_t *device);
nvmlReturn_t lb_nvml_uuid(void *library, nvmlDevice_t device, char *uuid, unsigned int length);
nvmlReturn_t lb_nvml_name(void *library, nvmlDevice_t device, char *name, unsigned int length);
nvmlReturn_t lb_nvml_pci(void *library, nvmlDevice_t device, nvmlPciInfo_t *pci);
nvmlReturn_t lb_nvml_process_name(void *library, unsigned int pid, char *name, unsigned int length);

// lb_nvml_processes lists the processes of a kind: Compute, Graphics or MPSCompute. count is the room
// in infos, then the number of processes.
nvmlReturn_t lb_nvml_processes(void *library, const char *kind, nvmlDevice_t device, unsigned int *count, nvmlProcessInfo_t *infos);

#endif
