// Package check reads the manifest as Kubernetes' API server does, strictly. It is a module of its own, so that lorabench does not depend on
// Kubernetes' types: (cd docs/kubernetes/check && GOWORK=off go test .)
package check

import (
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"

	batchv1 "k8s.io/api/batch/v1"
	"sigs.k8s.io/yaml"
)

func TestManifest(t *testing.T) {
	b, err := os.ReadFile("../job.yaml")
	if err != nil {
		t.Fatal(err)
	}
	var job batchv1.Job
	if err := yaml.UnmarshalStrict(b, &job); err != nil {
		t.Fatalf("job.yaml is no Job of batch/v1: %v", err)
	}
	if job.APIVersion != "batch/v1" || job.Kind != "Job" || job.Spec.CompletionMode == nil || *job.Spec.CompletionMode != batchv1.IndexedCompletion {
		t.Fatal("job.yaml is not an Indexed Job")
	}
	n, args := *job.Spec.Completions, job.Spec.Template.Spec.Containers[0].Args
	for _, want := range []string{fmt.Sprintf("-shard=kubernetes/%d", n), fmt.Sprintf("-count=%d", n)} {
		if !slices.Contains(args, want) {
			t.Errorf("completions is %d, so the arguments need %s: %s", n, want, strings.Join(args, " "))
		}
	}
	mount := job.Spec.Template.Spec.Containers[0].VolumeMounts[0]
	if !slices.Contains(args, "-out="+mount.MountPath) || job.Spec.Template.Spec.Volumes[0].Name != mount.Name {
		t.Error("-out is not on the shared volume")
	}
	if err := yaml.UnmarshalStrict([]byte(strings.Replace(string(b), "completionMode", "completionsMode", 1)), &batchv1.Job{}); err == nil {
		t.Error("a field that there is not was accepted")
	}
}
