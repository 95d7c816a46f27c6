package data

// mt19937 is the Mersenne Twister of Matsumoto and Nishimura (1998), the engine of torch's CPU generator
// (ATen/core/MT19937RNGEngine.h). Go's math/rand has no such source, and the order of the samples must be torch's.
type mt19937 struct {
	state [624]uint32
	next  int
}

func newMT19937(seed uint32) *mt19937 {
	m := &mt19937{next: 624}
	m.state[0] = seed
	for i := 1; i < len(m.state); i++ {
		prev := m.state[i-1]
		m.state[i] = 1812433253*(prev^prev>>30) + uint32(i)
	}
	return m
}

func (m *mt19937) refill() {
	for i := range m.state {
		y := m.state[i]&0x80000000 | m.state[(i+1)%624]&0x7fffffff
		v := m.state[(i+397)%624] ^ y>>1
		if y&1 == 1 {
			v ^= 0x9908b0df
		}
		m.state[i] = v
	}
	m.next = 0
}

func (m *mt19937) uint32() uint32 {
	if m.next == len(m.state) {
		m.refill()
	}
	y := m.state[m.next]
	m.next++
	y ^= y >> 11
	y ^= y << 7 & 0x9d2c5680
	y ^= y << 15 & 0xefc60000
	return y ^ y>>18
}

// uint64 draws 64 bits as CPUGeneratorImpl::random64 does: the first draw is the high half.
func (m *mt19937) uint64() uint64 {
	high := m.uint32()
	return uint64(high)<<32 | uint64(m.uint32())
}
