// Prepare puts SmolLM2-135M-Instruct into the user's cache, unless it is there, and prints the folder.
//
//	make smollm2
package main

import (
	"context"
	"fmt"
	"os"

	"lorabench/internal/process"
	"lorabench/internal/smollm2"
)

func main() {
	ctx, stop := process.Interruptible(context.Background())
	defer stop()
	err := smollm2.Prepare(ctx, os.Stderr) // stdout has the folder alone
	if err == nil {
		var dir string
		if dir, err = smollm2.Folder(); err == nil {
			fmt.Println(dir)
			return
		}
	}
	fmt.Fprintf(os.Stderr, "smollm2: %v\n", err)
	os.Exit(1)
}
