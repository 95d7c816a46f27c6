package gpu

import (
	"fmt"
	"strings"
)

// visible returns the cards that CUDA shows to a process whose CUDA_VISIBLE_DEVICES is list, in CUDA's
// order if all is in that order. byNumber reports that the order of all mattered: list is not set,
// or has numbers and not UUIDs.
//
// The rules are those of NVIDIA's programming guide (CUDA environment variables) and, for what that
// leaves open, what PyTorch found CUDA to do (torch.cuda._parse_visible_devices): an entry that is
// not valid ends the list, an entry that comes twice empties it, a number ends at its last digit, and
// the first entry decides whether all are numbers, UUIDs of cards (their first characters are enough) or
// UUIDs of parts of cards.
func visible(list string, set bool, all []card) (seen []card, byNumber bool, err error) {
	if !set {
		return all, true, nil
	}
	entries := strings.Split(list, ",")
	switch {
	case strings.HasPrefix(list, "GPU-"):
		seen = choose(entries, func(e string) (card, bool) { return byUUID(e, all) })
		return seen, false, nil
	case strings.HasPrefix(list, "MIG-"):
		seen = choose(entries, func(e string) (card, bool) { return card{uuid: e}, strings.HasPrefix(e, "MIG-") })
		return seen, false, nil
	}
	seen = choose(entries, func(e string) (card, bool) {
		i, ok := leadingNumber(e)
		if !ok || i >= len(all) {
			return card{}, false
		}
		return all[i], true
	})
	if len(seen) == 0 && len(all) > 0 && strings.TrimSpace(list) != "" && !strings.HasPrefix(strings.TrimSpace(list), "-") {
		err = fmt.Errorf("gpu: CUDA_VISIBLE_DEVICES is %q: CUDA sees no device by it; name numbers from 0 to %d, each once, or UUIDs as `nvidia-smi -L` prints them", list, len(all)-1)
	}
	return seen, true, err
}

// choose returns the cards of the entries up to the first that is not valid, or none where one comes
// twice.
func choose(entries []string, valid func(string) (card, bool)) []card {
	var seen []card
	for _, e := range entries {
		c, ok := valid(e)
		if !ok {
			break
		}
		for _, s := range seen {
			if s == c {
				return nil
			}
		}
		seen = append(seen, c)
	}
	return seen
}

// byUUID returns the one card whose UUID begins with prefix.
func byUUID(prefix string, all []card) (found card, ok bool) {
	if !strings.HasPrefix(prefix, "GPU-") {
		return card{}, false
	}
	for _, c := range all {
		if !strings.HasPrefix(c.uuid, prefix) {
			continue
		}
		if ok {
			return card{}, false
		}
		found, ok = c, true
	}
	return found, ok
}

// leadingNumber returns what strtoul would read: 1 from " 1gpu".
func leadingNumber(s string) (int, bool) {
	s = strings.TrimPrefix(strings.TrimSpace(s), "+")
	n, digits := 0, 0
	for digits < len(s) && s[digits] >= '0' && s[digits] <= '9' {
		if n = n*10 + int(s[digits]-'0'); n > 1<<20 {
			return 0, false
		}
		digits++
	}
	return n, digits > 0
}
