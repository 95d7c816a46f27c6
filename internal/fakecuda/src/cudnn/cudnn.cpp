// libcudnn.so.9: libtorch asks for its versions. lorabench uses no operation of it.
#include "../fake.h"

API size_t cudnnGetVersion() { return 91900; }
API size_t cudnnGetCudartVersion() { return 13000; }
