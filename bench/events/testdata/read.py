"""Prints what TensorBoard reads in a folder of runs, as JSON."""
import json
import sys

from tensorboard.backend.event_processing import event_accumulator, event_multiplexer

runs = event_multiplexer.EventMultiplexer(size_guidance={event_accumulator.SCALARS: 0, event_accumulator.TENSORS: 0})
runs.AddRunsFromDirectory(sys.argv[1])
runs.Reload()
read = {}
for name, tags in runs.Runs().items():
    read[name] = {
        "scalars": {tag: [(e.step, e.value, e.wall_time) for e in runs.Scalars(name, tag)] for tag in tags["scalars"]},
        "texts": {tag: runs.Tensors(name, tag)[0].tensor_proto.string_val[0].decode() for tag in tags["tensors"]},
    }
print(json.dumps(read))
