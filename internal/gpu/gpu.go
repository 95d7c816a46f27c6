// Package gpu lists the other processes that use a GPU, by NVIDIA's management library (NVML). It comes
// with the driver and is opened at run time, so that one program runs on machines with and without a GPU.
package gpu

import (
	"cmp"
	"fmt"
	"os"
	"slices"
	"strings"

	"lorabench/bench/record"
)

// Others returns the processes besides this one that hold memory of CUDA device n, as CUDA numbers it
// for this process; it is empty if there are none. On a card that is partitioned (MIG) they are those
// of the part that CUDA_VISIBLE_DEVICES names, and of the whole card where that names no part.
//
// Call it while this process holds memory of the device. In a container the driver may list the PIDs
// that processes have on the host: this process is then one of them, but there is no telling which, and
// each other one is a Holder with PID 0.
//
// It is an error if the management library is missing, if there is no such device, or if it cannot be
// known which card CUDA means by n.
func Others(n int) ([]record.Holder, error) {
	nv, err := openNVML(libraryNames...)
	if err != nil {
		return nil, err
	}
	defer nv.close()
	return others(n, nv, thisProcess())
}

// card is a GPU, or a part of one where its UUID begins with MIG-.
type card struct {
	uuid, name string
	pci        [3]uint32 // domain, bus, device
}

// process holds memory of a card. bytes is 0 if the driver does not report it.
type process struct {
	pid   int
	bytes int64
}

// library is the part of NVML that is used.
type library interface {
	cards() ([]card, error)
	processes(card) ([]process, error)
	processName(pid int) string // "" if it is not known
}

// self describes this process.
type self struct {
	pid    int
	env    func(string) (string, bool)
	nested bool                 // processes may have other PIDs outside, as in a container
	cuda   bool                 // it has opened CUDA
	comm   func(pid int) string // a process's name, "" where there is no such process
}

func others(n int, lib library, me self) ([]record.Holder, error) {
	all, err := lib.cards()
	if err != nil {
		return nil, err
	}
	slices.SortFunc(all, func(a, b card) int { return slices.Compare(a.pci[:], b.pci[:]) })
	c, err := find(n, all, me, func(c card) bool {
		ps, err := lib.processes(c)
		return err == nil && holds(ps, me.pid)
	})
	if err != nil {
		return nil, err
	}
	ps, err := lib.processes(c)
	if err != nil {
		return nil, err
	}
	return holders(ps, lib, me), nil
}

func holds(ps []process, pid int) bool {
	return slices.ContainsFunc(ps, func(p process) bool { return p.pid == pid })
}

// holders returns the processes of a card besides this one.
func holders(ps []process, lib library, me self) []record.Holder {
	hs := []record.Holder{}
	if me.nested && me.cuda && !holds(ps, me.pid) {
		for range max(0, len(ps)-1) {
			hs = append(hs, record.Holder{Name: "unknown (seen from a container)"})
		}
		return hs
	}
	for _, p := range ps {
		if p.pid == me.pid {
			continue
		}
		name := ""
		if !me.nested || holds(ps, me.pid) {
			name = me.comm(p.pid)
		}
		name = cmp.Or(name, lib.processName(p.pid)) // the library's is a path, which a record does not need
		hs = append(hs, record.Holder{PID: p.pid, Name: name[strings.LastIndexByte(name, '/')+1:], Bytes: p.bytes})
	}
	slices.SortFunc(hs, func(a, b record.Holder) int { return cmp.Or(cmp.Compare(b.Bytes, a.Bytes), cmp.Compare(a.PID, b.PID)) })
	return hs
}

// find returns the card that CUDA numbers n for this process. used reports whether this process holds
// memory of a card: where CUDA's order cannot be known, that decides.
func find(n int, all []card, me self, used func(card) bool) (card, error) {
	list, set := me.env("CUDA_VISIBLE_DEVICES")
	seen, byNumber, err := visible(list, set, all)
	if err != nil {
		return card{}, err
	}
	if n < 0 || n >= len(seen) {
		return card{}, fmt.Errorf("gpu: CUDA device %d: this process sees %d of %d GPUs%s", n, len(seen), len(all), shown(list, set))
	}
	// By default CUDA puts the fastest card first and does not document the order of the others. Cards
	// of one name are equally fast, and their order is that of the bus, as NVML's.
	order, _ := me.env("CUDA_DEVICE_ORDER")
	if !byNumber || order == "PCI_BUS_ID" || sameName(all) {
		return seen[n], nil
	}
	var mine []card
	for _, c := range all {
		if used(c) {
			mine = append(mine, c)
		}
	}
	if len(mine) == 1 {
		return mine[0], nil
	}
	return card{}, fmt.Errorf("gpu: the %d GPUs are of different kinds, and nobody can tell which one CUDA numbers %d: set CUDA_DEVICE_ORDER=PCI_BUS_ID", len(all), n)
}

func sameName(all []card) bool {
	return !slices.ContainsFunc(all, func(c card) bool { return c.name != all[0].name })
}

func shown(list string, set bool) string {
	if !set {
		return ""
	}
	return fmt.Sprintf(" (CUDA_VISIBLE_DEVICES is %q)", list)
}

func thisProcess() self {
	return self{pid: os.Getpid(), env: os.LookupEnv, nested: nested(), cuda: cudaOpened(), comm: comm}
}

// Visible returns, for each card that CUDA would show this process, the UUID by which CUDA_VISIBLE_DEVICES names it. It opens no
// CUDA, which would use memory of a card. It is an error if the management library is missing.
func Visible() ([]string, error) {
	nv, err := openNVML(libraryNames...)
	if err != nil {
		return nil, err
	}
	defer nv.close()
	return visibleUUIDs(nv, os.LookupEnv)
}

func visibleUUIDs(lib library, env func(string) (string, bool)) ([]string, error) {
	all, err := lib.cards()
	if err != nil {
		return nil, err
	}
	list, set := env("CUDA_VISIBLE_DEVICES")
	seen, _, err := visible(list, set, all)
	var uuids []string
	for _, c := range seen {
		uuids = append(uuids, c.uuid)
	}
	return uuids, err
}
