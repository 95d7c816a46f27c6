package report

import (
	"cmp"
	"slices"

	"gonum.org/v1/plot/vg"
)

// apart moves positions until they are at least gap from each other, each as little as its
// neighbours let it, and within lo and hi if they fit there.
func apart(at []vg.Length, gap, lo, hi vg.Length) []vg.Length {
	order := make([]int, len(at))
	for i := range order {
		order[i] = i
	}
	slices.SortStableFunc(order, func(a, b int) int { return cmp.Compare(at[a], at[b]) })
	// Neighbours that overlap become one block, centred on its members' own positions; blocks that
	// then overlap become one in turn.
	type block struct {
		sum vg.Length // of the positions at which its members want its first to be
		n   int
	}
	start := func(b block) vg.Length {
		s := b.sum / vg.Length(b.n)
		return max(lo, min(s, hi-gap*vg.Length(b.n-1)))
	}
	var blocks []block
	for _, i := range order {
		b := block{at[i], 1}
		for len(blocks) > 0 {
			last := blocks[len(blocks)-1]
			if start(last)+gap*vg.Length(last.n) <= start(b) {
				break
			}
			b = block{last.sum + b.sum - gap*vg.Length(last.n*b.n), last.n + b.n}
			blocks = blocks[:len(blocks)-1]
		}
		blocks = append(blocks, b)
	}
	to := make([]vg.Length, len(at))
	k := 0
	for _, b := range blocks {
		for j := range b.n {
			to[order[k]] = start(b) + gap*vg.Length(j)
			k++
		}
	}
	return to
}

// free finds a place for a label of a size next to each point, clear of the boxes taken and of the
// other labels, inside the area; the first of eight sides that is clear, else the least bad one.
func free(points []vg.Point, sizes []vg.Point, taken []vg.Rectangle, area vg.Rectangle, away vg.Length) []vg.Rectangle {
	sides := []vg.Point{{X: 1}, {X: -1}, {Y: 1}, {Y: -1}, {X: 1, Y: 1}, {X: -1, Y: 1}, {X: 1, Y: -1}, {X: -1, Y: -1}}
	taken = slices.Clone(taken)
	var out []vg.Rectangle
	for i, p := range points {
		best, least := vg.Rectangle{}, vg.Length(-1)
		for _, s := range sides {
			mid := vg.Point{X: p.X + s.X*(away+sizes[i].X/2), Y: p.Y + s.Y*(away+sizes[i].Y/2)}
			half := vg.Point{X: sizes[i].X / 2, Y: sizes[i].Y / 2}
			r := vg.Rectangle{Min: mid.Sub(half), Max: mid.Add(half)}
			bad := sizes[i].X*sizes[i].Y - overlap(r, area) // outside
			for _, t := range taken {
				bad += overlap(r, t)
			}
			if least < 0 || bad < least-1e-6 {
				best, least = r, bad
			}
		}
		out = append(out, best)
		taken = append(taken, best)
	}
	return out
}

func overlap(a, b vg.Rectangle) vg.Length {
	w := min(a.Max.X, b.Max.X) - max(a.Min.X, b.Min.X)
	h := min(a.Max.Y, b.Max.Y) - max(a.Min.Y, b.Min.Y)
	return max(w, 0) * max(h, 0)
}
