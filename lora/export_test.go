package lora

// Modules is the rank and scaling of each adapted module.
func (a *Adapter) Modules() map[string][2]float64 {
	ms := map[string][2]float64{}
	for _, p := range a.pairs {
		ms[p.linear.Name] = [2]float64{float64(p.r), p.scaling}
	}
	return ms
}
