package data

import (
	"container/heap"
	"hash/maphash"
	"strings"
	"sync/atomic"
	"unicode/utf8"
)

// A merge joins two neighbouring tokens into one.
type merge struct {
	rank int32 // its line in the merges; lower goes first
	id   int32 // the token that it makes
}

// bpe is byte-pair encoding (Sennrich and others 2016, "Neural Machine Translation of Rare Words with Subword Units").
//
// Merges are kept by the pair of ids, as Hugging Face's tokenizers has them. tiktoken-go, tried before, merges any
// two tokens whose concatenation is a token, which gives other ids wherever a token can be reached by other pairs than
// its merge's (TestMergesArePairs). Its time also grows with the square of a word's length, 5 s for 40,000 letters, and on
// CodeAlpaca it had a fifth of the speed.
type bpe struct {
	bytes  [256]int32       // the token of each single byte, -1 where there is none
	chars  map[string]int32 // the token of each character, for pieces; nil for byte-level
	merges map[[2]int32]merge
	whole  map[string]int32 // words that are tokens and are not merged (ignore_merges); nil for most
	cache  *wordCache
}

// wordCache caches the ids of words, since a few thousand words make up most of any text. Each word has one slot, which
// the next word of the same hash overwrites; no lock is needed, because it does not matter which goroutine writes last.
type wordCache struct {
	seed  maphash.Seed
	words [1 << 15]atomic.Pointer[cachedWord]
}

type cachedWord struct {
	word string
	ids  []int32
}

func newWordCache() *wordCache { return &wordCache{seed: maphash.MakeSeed()} }

func (c *wordCache) place(word string) *atomic.Pointer[cachedWord] {
	return &c.words[maphash.String(c.seed, word)%uint64(len(c.words))]
}

// Words up to this many bytes, nearly all, are merged by scanning; for a few tokens that is faster than a heap.
const scanLimit = 64

// encode appends the ids of one word.
func (b *bpe) encode(ids []int32, word string) []int32 {
	if len(word) == 1 {
		return b.singles(ids, word)
	}
	if len(word) > scanLimit {
		return b.merge(ids, word)
	}
	place := b.cache.place(word)
	if known := place.Load(); known != nil && known.word == word {
		return append(ids, known.ids...)
	}
	start := len(ids)
	ids = b.merge(ids, word)
	place.Store(&cachedWord{word: strings.Clone(word), ids: append([]int32(nil), ids[start:]...)})
	return ids
}

// merge is encode without the cache.
func (b *bpe) merge(ids []int32, word string) []int32 {
	if id, ok := b.whole[word]; ok {
		return append(ids, id)
	}
	start := len(ids)
	ids = b.singles(ids, word)
	if len(word) > scanLimit {
		return ids[:start+b.mergeHeap(ids[start:])]
	}
	return ids[:start+b.mergeScan(ids[start:])]
}

// singles appends the ids that merging begins with: those of bytes, or of characters, with bytes for a character that has no token.
func (b *bpe) singles(ids []int32, word string) []int32 {
	for len(word) > 0 {
		n := 1
		if b.chars != nil {
			_, n = utf8.DecodeRuneInString(word)
			if id, ok := b.chars[word[:n]]; ok {
				ids, word = append(ids, id), word[n:]
				continue
			}
		}
		for i := range n {
			if id := b.bytes[word[i]]; id >= 0 {
				ids = append(ids, id)
			}
		}
		word = word[n:]
	}
	return ids
}

// mergeScan merges ids in place and returns how many are left. Each round merges the pair of the lowest rank,
// the leftmost among equals.
func (b *bpe) mergeScan(ids []int32) int {
	const none = 1<<31 - 1
	var ranks, joins [scanLimit]int32 // of the pair that begins at each id
	n := len(ids)
	look := func(i int) {
		ranks[i] = none
		if i+1 < n {
			if m, ok := b.merges[[2]int32{ids[i], ids[i+1]}]; ok {
				ranks[i], joins[i] = m.rank, m.id
			}
		}
	}
	for i := range n {
		look(i)
	}
	for {
		best, at := int32(none), 0
		for i, r := range ranks[:n] {
			if r < best {
				best, at = r, i
			}
		}
		if best == none {
			return n
		}
		ids[at] = joins[at]
		copy(ids[at+1:n], ids[at+2:n])
		copy(ranks[at+1:n], ranks[at+2:n])
		copy(joins[at+1:n], joins[at+2:n])
		n--
		look(at)
		if at > 0 {
			look(at - 1)
		}
	}
}

// mergeHeap does the same in n log n, for words that are long: runs of spaces, lines of dashes, base64.
func (b *bpe) mergeHeap(ids []int32) int {
	n := int32(len(ids))
	prev, next := make([]int32, n), make([]int32, n) // neighbours that are left; next is n at the end
	var queue pairQueue
	push := func(i int32) {
		if i < 0 || next[i] == n {
			return
		}
		if m, ok := b.merges[[2]int32{ids[i], ids[next[i]]}]; ok {
			heap.Push(&queue, pair{merge: m, at: i, left: ids[i], right: ids[next[i]]})
		}
	}
	for i := range n {
		prev[i], next[i] = i-1, i+1
	}
	for i := range n {
		push(i)
	}
	const gone = -1
	for len(queue) > 0 {
		p := heap.Pop(&queue).(pair)
		i := p.at
		// What was queued may have changed since: one half, or both, merged with another neighbour.
		if ids[i] != p.left || next[i] == n || ids[next[i]] != p.right {
			continue
		}
		right := next[i]
		ids[i], ids[right] = p.id, gone
		next[i] = next[right]
		if next[i] < n {
			prev[next[i]] = i
		}
		push(i)
		push(prev[i])
	}
	count := 0
	for _, id := range ids {
		if id != gone {
			ids[count] = id
			count++
		}
	}
	return count
}

type pair struct {
	merge
	at, left, right int32
}

type pairQueue []pair

func (q pairQueue) Len() int { return len(q) }
func (q pairQueue) Less(i, j int) bool {
	return q[i].rank < q[j].rank || q[i].rank == q[j].rank && q[i].at < q[j].at
}
func (q pairQueue) Swap(i, j int) { q[i], q[j] = q[j], q[i] }
func (q *pairQueue) Push(x any)   { *q = append(*q, x.(pair)) }
func (q *pairQueue) Pop() any {
	old := *q
	p := old[len(old)-1]
	*q = old[:len(old)-1]
	return p
}
