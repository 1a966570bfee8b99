package resources

import (
	"context"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/eks"
	ekstypes "github.com/aws/aws-sdk-go-v2/service/eks/types"
)

func init() {
	Register(&Type{
		Name: "AWS::EKS::Nodegroup",
		Properties: []string{"AmiType", "CapacityType", "ClusterName", "DiskSize", "ForceUpdateEnabled", "InstanceTypes", "Labels",
			"LaunchTemplate", "NodeRepairConfig", "NodeRole", "NodegroupName", "ReleaseVersion", "ScalingConfig", "Subnets", "Tags",
			"Taints", "UpdateConfig", "Version"},
		Immutable: []string{"AmiType", "CapacityType", "ClusterName", "DiskSize", "InstanceTypes", "NodeRole", "NodegroupName", "Subnets"},
		Recorded:  "no instance is launched; the process node stands in for the node group",
		Create:    createNodegroup, Update: updateNodegroup,
		Delete: func(ctx context.Context, r *Request, id string, _ Properties) error {
			cluster, name, _ := strings.Cut(id, "/")
			_, err := r.eks().DeleteNodegroup(ctx, &eks.DeleteNodegroupInput{ClusterName: &cluster, NodegroupName: &name})
			return gone(err)
		},
	})
	Register(&Type{
		Name: "AWS::EKS::Addon",
		Properties: []string{"AddonName", "AddonVersion", "ClusterName", "ConfigurationValues", "PodIdentityAssociations",
			"PreserveOnDelete", "ResolveConflicts", "ServiceAccountRoleArn", "Tags"},
		Immutable: []string{"AddonName", "ClusterName"},
		Recorded:  "the process node and its gate stand in for the network, DNS and identity add-ons",
		Create:    createAddon, Update: updateAddon,
		Delete: func(ctx context.Context, r *Request, _ string, p Properties) error {
			_, err := r.eks().DeleteAddon(ctx, &eks.DeleteAddonInput{
				ClusterName: aws.String(p.String("ClusterName")), AddonName: aws.String(p.String("AddonName")), Preserve: p.Bool("PreserveOnDelete"),
			})
			return gone(err)
		},
	})
	Register(&Type{
		Name:       "AWS::EKS::AccessEntry",
		Properties: []string{"AccessPolicies", "ClusterName", "KubernetesGroups", "PrincipalArn", "Tags", "Type", "Username"},
		Immutable:  []string{"ClusterName", "PrincipalArn", "Type"},
		Recorded:   "the local API server knows one administrator, the kubeconfig's",
		Create:     createAccessEntry, Update: updateAccessEntry,
		Delete: func(ctx context.Context, r *Request, _ string, p Properties) error {
			_, err := r.eks().DeleteAccessEntry(ctx, &eks.DeleteAccessEntryInput{
				ClusterName: aws.String(p.String("ClusterName")), PrincipalArn: aws.String(p.String("PrincipalArn")),
			})
			return gone(err)
		},
	})
	Register(&Type{
		Name:       "AWS::EKS::PodIdentityAssociation",
		Properties: []string{"ClusterName", "DisableSessionTags", "Namespace", "RoleArn", "ServiceAccount", "Tags", "TargetRoleArn"},
		Immutable:  []string{"ClusterName", "Namespace", "ServiceAccount"},
		Create:     createAssociation, Update: updateAssociation, Delete: deleteAssociation,
	})
}

func createNodegroup(ctx context.Context, r *Request, p Properties) (Result, error) {
	var in eks.CreateNodegroupInput
	settings := p.without("Tags", "ForceUpdateEnabled", "NodegroupName")
	if err := decode(settings, &in); err != nil {
		return Result{}, err
	}
	name := r.name(p, "NodegroupName", 63, false)
	in.NodegroupName, in.Tags = &name, r.tags(p)
	_, err := r.eks().CreateNodegroup(ctx, &in)
	if err != nil && (p.Has("NodegroupName") || !hasCode(err, "ResourceInUse")) {
		return Result{}, err
	}
	return nodegroupResult(ctx, r, p.String("ClusterName"), name)
}

func nodegroupResult(ctx context.Context, r *Request, cluster, name string) (Result, error) {
	id := cluster + "/" + name
	out, err := r.eks().DescribeNodegroup(ctx, &eks.DescribeNodegroupInput{ClusterName: &cluster, NodegroupName: &name})
	if err != nil {
		return Result{ID: id}, err
	}
	return Result{ID: id, Attributes: map[string]any{
		"Id": id, "Arn": aws.ToString(out.Nodegroup.NodegroupArn), "ClusterName": cluster, "NodegroupName": name,
	}}, nil
}

func updateNodegroup(ctx context.Context, r *Request, id string, old, updated Properties) (Result, error) {
	cluster, name, _ := strings.Cut(id, "/")
	if changed(old, updated, "ScalingConfig", "UpdateConfig") {
		in := eks.UpdateNodegroupConfigInput{ClusterName: &cluster, NodegroupName: &name}
		if err := decode(updated.pick("ScalingConfig", "UpdateConfig"), &in); err != nil {
			return Result{}, err
		}
		if _, err := r.eks().UpdateNodegroupConfig(ctx, &in); err != nil {
			return Result{}, err
		}
	}
	// Version, launch template, labels and taints would roll the instances: there are none.
	return nodegroupResult(ctx, r, cluster, name)
}

func createAddon(ctx context.Context, r *Request, p Properties) (Result, error) {
	var in eks.CreateAddonInput
	if err := decode(p.without("Tags", "PreserveOnDelete"), &in); err != nil {
		return Result{}, err
	}
	in.Tags = r.tags(p)
	out, err := r.eks().CreateAddon(ctx, &in)
	if err != nil {
		return Result{}, err
	}
	return addonResult(p, out.Addon), nil
}

func addonResult(p Properties, addon *ekstypes.Addon) Result {
	result := Result{ID: p.String("ClusterName") + "|" + p.String("AddonName"), Attributes: map[string]any{"Arn": ""}}
	if addon != nil {
		result.Attributes["Arn"] = aws.ToString(addon.AddonArn)
	}
	return result
}

func updateAddon(ctx context.Context, r *Request, _ string, _, updated Properties) (Result, error) {
	var in eks.UpdateAddonInput
	if err := decode(updated.without("Tags", "PreserveOnDelete"), &in); err != nil {
		return Result{}, err
	}
	if _, err := r.eks().UpdateAddon(ctx, &in); err != nil {
		return Result{}, err
	}
	out, err := r.eks().DescribeAddon(ctx, &eks.DescribeAddonInput{ClusterName: in.ClusterName, AddonName: in.AddonName})
	if err != nil {
		return Result{}, err
	}
	return addonResult(updated, out.Addon), nil
}

func createAccessEntry(ctx context.Context, r *Request, p Properties) (Result, error) {
	var in eks.CreateAccessEntryInput
	if err := decode(p.without("Tags", "AccessPolicies"), &in); err != nil {
		return Result{}, err
	}
	in.Tags = r.tags(p)
	out, err := r.eks().CreateAccessEntry(ctx, &in)
	if err != nil {
		return Result{}, err
	}
	result := Result{
		ID:         p.String("PrincipalArn") + "|" + p.String("ClusterName"),
		Attributes: map[string]any{"AccessEntryArn": aws.ToString(out.AccessEntry.AccessEntryArn)},
	}
	return result, setAccessPolicies(ctx, r, nil, p)
}

func setAccessPolicies(ctx context.Context, r *Request, old, updated Properties) error {
	cluster, principal := aws.String(updated.String("ClusterName")), aws.String(updated.String("PrincipalArn"))
	kept := map[string]bool{}
	for _, policy := range updated.Objects("AccessPolicies") {
		in := eks.AssociateAccessPolicyInput{ClusterName: cluster, PrincipalArn: principal}
		if err := decode(policy, &in); err != nil {
			return err
		}
		if _, err := r.eks().AssociateAccessPolicy(ctx, &in); err != nil {
			return err
		}
		kept[policy.String("PolicyArn")] = true
	}
	for _, policy := range old.Objects("AccessPolicies") {
		arn := policy.String("PolicyArn")
		if kept[arn] {
			continue
		}
		in := &eks.DisassociateAccessPolicyInput{ClusterName: cluster, PrincipalArn: principal, PolicyArn: &arn}
		if _, err := r.eks().DisassociateAccessPolicy(ctx, in); gone(err) != nil {
			return err
		}
	}
	return nil
}

func updateAccessEntry(ctx context.Context, r *Request, id string, old, updated Properties) (Result, error) {
	if changed(old, updated, "KubernetesGroups", "Username") {
		var in eks.UpdateAccessEntryInput
		if err := decode(updated.pick("ClusterName", "PrincipalArn", "KubernetesGroups", "Username"), &in); err != nil {
			return Result{}, err
		}
		if _, err := r.eks().UpdateAccessEntry(ctx, &in); err != nil {
			return Result{}, err
		}
	}
	out, err := r.eks().DescribeAccessEntry(ctx, &eks.DescribeAccessEntryInput{
		ClusterName: aws.String(updated.String("ClusterName")), PrincipalArn: aws.String(updated.String("PrincipalArn")),
	})
	if err != nil {
		return Result{}, err
	}
	result := Result{ID: id, Attributes: map[string]any{"AccessEntryArn": aws.ToString(out.AccessEntry.AccessEntryArn)}}
	return result, setAccessPolicies(ctx, r, old, updated)
}

func createAssociation(ctx context.Context, r *Request, p Properties) (Result, error) {
	var in eks.CreatePodIdentityAssociationInput
	if err := decode(p.without("Tags"), &in); err != nil {
		return Result{}, err
	}
	in.Tags = r.tags(p)
	out, err := r.eks().CreatePodIdentityAssociation(ctx, &in)
	if err != nil {
		return Result{}, err
	}
	return associationResult(out.Association), nil
}

func associationResult(a *ekstypes.PodIdentityAssociation) Result {
	arn := aws.ToString(a.AssociationArn)
	return Result{ID: arn, Attributes: map[string]any{
		"AssociationArn": arn, "AssociationId": aws.ToString(a.AssociationId), "ExternalId": aws.ToString(a.ExternalId),
	}}
}

// associationID is the last part of an association's ARN.
func associationID(arn string) string { return arn[strings.LastIndex(arn, "/")+1:] }

func updateAssociation(ctx context.Context, r *Request, id string, _, updated Properties) (Result, error) {
	var in eks.UpdatePodIdentityAssociationInput
	if err := decode(updated.pick("ClusterName", "DisableSessionTags", "RoleArn", "TargetRoleArn"), &in); err != nil {
		return Result{}, err
	}
	in.AssociationId = aws.String(associationID(id))
	out, err := r.eks().UpdatePodIdentityAssociation(ctx, &in)
	if err != nil {
		return Result{}, err
	}
	return associationResult(out.Association), nil
}

func deleteAssociation(ctx context.Context, r *Request, id string, p Properties) error {
	_, err := r.eks().DeletePodIdentityAssociation(ctx, &eks.DeletePodIdentityAssociationInput{
		ClusterName: aws.String(p.String("ClusterName")), AssociationId: aws.String(associationID(id)),
	})
	return gone(err)
}
