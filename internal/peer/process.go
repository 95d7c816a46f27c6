package main

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// visible is CUDA_VISIBLE_DEVICES for a peer that is to see the one device named: a Trainer that
// sees several spreads its batches over all of them. now is the variable's value, if it is set.
func visible(device, now string, set bool) (string, error) {
	if device == "cpu" {
		return "", nil
	}
	index := 0
	if _, n, ok := strings.Cut(device, ":"); ok {
		var err error
		if index, err = strconv.Atoi(n); err != nil || index < 0 {
			return "", fmt.Errorf("device %q: want cpu, cuda or cuda:N", device)
		}
	}
	if !set {
		return strconv.Itoa(index), nil
	}
	devices := slices.DeleteFunc(strings.Split(now, ","), func(d string) bool { return strings.TrimSpace(d) == "" })
	if index >= len(devices) {
		return "", fmt.Errorf("CUDA_VISIBLE_DEVICES is %q and has no device %d", now, index)
	}
	return strings.TrimSpace(devices[index]), nil
}
