package externalsecretsio

// TemplateFrom specifies a source for templates.
//
// Each item in the list can either reference a ConfigMap or a Secret resource.
type ExternalSecretSpecTargetTemplateTemplateFrom struct {
	// TemplateRef specifies a reference to either a ConfigMap or a Secret resource.
	ConfigMap *ExternalSecretSpecTargetTemplateTemplateFromConfigMap `field:"optional" json:"configMap" yaml:"configMap"`
	Literal   *string                                                `field:"optional" json:"literal" yaml:"literal"`
	// TemplateRef specifies a reference to either a ConfigMap or a Secret resource.
	Secret *ExternalSecretSpecTargetTemplateTemplateFromSecret `field:"optional" json:"secret" yaml:"secret"`
	// TemplateTarget specifies where the rendered templates should be applied.
	Target ExternalSecretSpecTargetTemplateTemplateFromTarget `field:"optional" json:"target" yaml:"target"`
}
