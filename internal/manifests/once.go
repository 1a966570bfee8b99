package manifests

// repeated reports each Job that removes itself: Flux finds it missing at its next reconciliation and makes it again, so it runs
// again and again (https://fluxcd.io/flux/use-cases/running-jobs/).
func (c *check) repeated() {
	for _, a := range c.arrived {
		if a.release != nil || key(a.object) != "batch/v1/Job" || value(a.object, "spec", "ttlSecondsAfterFinished") == nil {
			continue
		}
		c.reportOf(a, "spec.ttlSecondsAfterFinished: the Job removes itself, and Flux makes it again and runs it again", "leave it out")
	}
}
