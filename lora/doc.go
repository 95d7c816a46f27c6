// Package lora implements low-rank adaptation (Hu et al. 2021, arXiv:2106.09685): adapters, and PEFT's files for them.
//
// Names are PEFT's: r, lora_alpha, lora_dropout, target_modules, lora_A, lora_B. Letters in
// shapes: T tokens, r rank.
//
// An adapted layer computes, with W and b frozen,
//
//	y = W x + b + scaling B A dropout(x)     A [r, in], B [out, r], scaling = lora_alpha / r
//
// A and B are float32 whatever the base's element type; A starts uniform, B at zero, so that
// training starts from the base model exactly. With use_dora each row of W + scaling B A also has a
// trained length, see dora.go.
package lora
