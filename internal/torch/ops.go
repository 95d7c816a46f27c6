package torch

import (
	lib "github.com/sugarme/gotch/libtch"
)

// MatMul is the matrix product.
func (s *Scope) MatMul(a, b *Tensor) *Tensor {
	lib.AtgMatmul(slot(), a.ptr("matmul"), b.ptr("matmul"))
	return s.made("matmul", a, b)
}

// Add is a + b.
func (s *Scope) Add(a, b *Tensor) *Tensor {
	lib.AtgAdd(slot(), a.ptr("add"), b.ptr("add"))
	return s.made("add", a, b)
}

// Mul is a * b, element by element.
func (s *Scope) Mul(a, b *Tensor) *Tensor {
	lib.AtgMul(slot(), a.ptr("mul"), b.ptr("mul"))
	return s.made("mul", a, b)
}

// Scale is v * t.
func (s *Scope) Scale(t *Tensor, v float64) *Tensor {
	c := lib.AtsFloat(v)
	defer lib.AtsFree(c)
	lib.AtgMulScalar(slot(), t.ptr("mul"), c)
	return s.made("mul", t)
}

// AddScalar is t + v.
func (s *Scope) AddScalar(t *Tensor, v float64) *Tensor {
	c := lib.AtsFloat(v)
	defer lib.AtsFree(c)
	lib.AtgAddScalar(slot(), t.ptr("add"), c)
	return s.made("add", t)
}

// Reciprocal is 1 / t.
func (s *Scope) Reciprocal(t *Tensor) *Tensor {
	lib.AtgReciprocal(slot(), t.ptr("reciprocal"))
	return s.made("reciprocal", t)
}

// ClampMax is min(t, v).
func (s *Scope) ClampMax(t *Tensor, v float64) *Tensor {
	c := lib.AtsFloat(v)
	defer lib.AtsFree(c)
	lib.AtgClampMax(slot(), t.ptr("clamp_max"), c)
	return s.made("clamp_max", t)
}

// Sum is the sum of all elements in their own type, a scalar.
func (s *Scope) Sum(t *Tensor) *Tensor {
	lib.AtgSum(slot(), t.ptr("sum"), -1)
	return s.made("sum", t)
}

// AbsMax is the largest absolute value, a number for tests; it waits for the device.
func (s *Scope) AbsMax(t *Tensor) float64 {
	var v float64
	s.Do(func(s *Scope) {
		lib.AtgAbs(slot(), t.ptr("abs"))
		a := s.made("abs", t)
		lib.AtgMax(slot(), a.ptr("max"))
		v = s.Item(s.made("max", a))
	})
	return v
}

// Equal tells whether two tensors have the same shape and bits' values; it waits for the device.
func Equal(a, b *Tensor) bool {
	outsideGraph("equal", a, b)
	eq := lib.AtgEqual(a.ptr("equal"), b.ptr("equal"))
	check("equal", a, b)
	return eq
}

// View is t's elements under another shape of the same size, without a copy.
func (s *Scope) View(t *Tensor, shape ...int64) *Tensor {
	lib.AtgView(slot(), t.ptr("view"), dims(shape), len(shape))
	return s.made("view", t)
}

// Narrow is length rows of dimension dim from start on, without a copy.
func (s *Scope) Narrow(t *Tensor, dim, start, length int64) *Tensor {
	lib.AtgNarrow(slot(), t.ptr("narrow"), dim, start, length)
	return s.made("narrow", t)
}

// IndexSelect is the rows of dimension dim that index, int64, names.
func (s *Scope) IndexSelect(t *Tensor, dim int64, index *Tensor) *Tensor {
	lib.AtgIndexSelect(slot(), t.ptr("index_select"), dim, index.ptr("index_select"))
	return s.made("index_select", t, index)
}

// IndexAddIn adds src's rows to the rows of t that index, int64, names.
func IndexAddIn(t, index, src *Tensor) {
	lib.AtgIndexAdd_(slot(), t.ptr("index_add_"), 0, index.ptr("index_add_"), src.ptr("index_add_"))
	done("index_add_", t, index, src)
}

// SumRows is the sum over the first dimension: t [T, H], result [H].
func (s *Scope) SumRows(t *Tensor) *Tensor {
	lib.AtgSumDimIntlist(slot(), t.ptr("sum"), []int64{0}, 1, 0, int32(t.DType()))
	return s.made("sum", t)
}

// Cat joins tensors along a dimension.
func (s *Scope) Cat(ts []*Tensor, dim int64) *Tensor {
	if len(ts) == 0 {
		fail("cat", "no tensors")
	}
	cs := make([]lib.Ctensor, len(ts))
	for i, t := range ts {
		cs[i] = t.ptr("cat")
	}
	lib.AtgCat(slot(), cs, len(cs), dim)
	return s.made("cat", ts...)
}

// Clone is a copy with memory of its own.
func (s *Scope) Clone(t *Tensor) *Tensor {
	c := s.Empty(t.DType(), t.Device(), t.Shape()...)
	Copy(c, t)
	return c
}

// ZeroIn sets every element to 0.
func ZeroIn(t *Tensor) {
	lib.AtgZero_(slot(), t.ptr("zero_"))
	done("zero_", t)
}

// AddIn adds b to t.
func AddIn(t, b *Tensor) {
	lib.AtgAdd_(slot(), t.ptr("add_"), b.ptr("add_"))
	done("add_", t, b)
}

// MulIn multiplies t by b.
func MulIn(t, b *Tensor) {
	lib.AtgMul_(slot(), t.ptr("mul_"), b.ptr("mul_"))
	done("mul_", t, b)
}

// ScaleIn multiplies t by v.
func ScaleIn(t *Tensor, v float64) {
	c := lib.AtsFloat(v)
	defer lib.AtsFree(c)
	lib.AtgMulScalar_(slot(), t.ptr("mul_"), c)
	done("mul_", t)
}

// FillIn sets every element to v.
func FillIn(t *Tensor, v float64) {
	c := lib.AtsFloat(v)
	defer lib.AtsFree(c)
	lib.AtgFill_(slot(), t.ptr("fill_"), c)
	done("fill_", t)
}

// UniformIn draws every element from [from, to) with the device's generator.
func UniformIn(t *Tensor, from, to float64) {
	lib.AtgUniform_(slot(), t.ptr("uniform_"), from, to)
	done("uniform_", t)
}

// NormalIn draws every element from a normal distribution with the device's generator.
func NormalIn(t *Tensor, mean, std float64) {
	lib.AtgNormal_(slot(), t.ptr("normal_"), mean, std)
	done("normal_", t)
}

// AddScalarIn adds v to every element of t.
func AddScalarIn(t *Tensor, v float64) {
	c := lib.AtsFloat(v)
	defer lib.AtsFree(c)
	lib.AtgAddScalar_(slot(), t.ptr("add_"), c)
	done("add_", t)
}

// Div is a / b, element by element.
func (s *Scope) Div(a, b *Tensor) *Tensor {
	lib.AtgDiv(slot(), a.ptr("div"), b.ptr("div"))
	return s.made("div", a, b)
}

// SubIn subtracts b from t.
func SubIn(t, b *Tensor) {
	lib.AtgSub_(slot(), t.ptr("sub_"), b.ptr("sub_"))
	done("sub_", t, b)
}

// SumColumns is the sum over the last dimension: t [T, H], result [T].
func (s *Scope) SumColumns(t *Tensor) *Tensor {
	lib.AtgSumDimIntlist(slot(), t.ptr("sum"), []int64{-1}, 1, 0, int32(t.DType()))
	return s.made("sum", t)
}

// RowNorms is the 2-norm over the last dimension: t [T, H], result [T].
func (s *Scope) RowNorms(t *Tensor) *Tensor {
	two := lib.AtsFloat(2)
	defer lib.AtsFree(two)
	lib.AtgNormScalaroptDim(slot(), t.ptr("norm"), two, []int64{-1}, 1, 0)
	return s.made("norm", t)
}
