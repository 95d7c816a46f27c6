package fakecuda_test

import (
	"testing"

	"lorabench/internal/fakecuda/fakecudatest"
)

func TestBuild(t *testing.T) { t.Log(fakecudatest.Require(t)) }
