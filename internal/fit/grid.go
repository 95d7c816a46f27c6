package main

import "fmt"

// grid holds the values that a search tries: 1, then multiples of fine, and above until of coarse, which is a small part of them.
type grid struct{ fine, until, coarse int }

var (
	rankGrid  = grid{8, 512, 64}
	batchGrid = grid{1, 32, 8}
)

// at returns value i = 1, 2, ...
func (g grid) at(i int) int {
	if g.fine > 1 {
		i-- // 1 is no multiple
	}
	if i <= g.until/g.fine {
		return max(1, i*g.fine)
	}
	return g.until + (i-g.until/g.fine)*g.coarse
}

// index returns the largest i with at(i) <= value, and 1 where there is none.
func (g grid) index(value int) int {
	i := value / g.fine
	if value > g.until {
		i = g.until/g.fine + (value-g.until)/g.coarse
	}
	if g.fine > 1 {
		i++
	}
	return max(1, i)
}

func (g grid) String() string {
	if g.fine == 1 {
		return fmt.Sprintf("1 to %d, and multiples of %d above", g.until, g.coarse)
	}
	return fmt.Sprintf("1, multiples of %d up to %d, and of %d above", g.fine, g.until, g.coarse)
}
