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
		Name:       "AWS::EKS::PodIdentityAssociation",
		Properties: []string{"ClusterName", "DisableSessionTags", "Namespace", "RoleArn", "ServiceAccount", "Tags", "TargetRoleArn"},
		Create:     createAssociation, Update: updateAssociation, Delete: deleteAssociation,
	})
}

func createAssociation(ctx context.Context, r *Request, p Properties) (Result, error) {
	var in eks.CreatePodIdentityAssociationInput
	if err := decode(p.without("Tags"), &in); err != nil {
		return Result{}, err
	}
	in.Tags = r.tags(p)
	out, err := r.eks().CreatePodIdentityAssociation(ctx, &in)
	if r.Resumed && hasCode(err, "ResourceInUse") {
		return findAssociation(ctx, r, in)
	}
	if err != nil {
		return Result{}, err
	}
	return associationResult(out.Association), nil
}

// findAssociation finds the association of a ServiceAccount, which has one at most.
func findAssociation(ctx context.Context, r *Request, in eks.CreatePodIdentityAssociationInput) (Result, error) {
	found, err := r.eks().ListPodIdentityAssociations(ctx, &eks.ListPodIdentityAssociationsInput{
		ClusterName: in.ClusterName, Namespace: in.Namespace, ServiceAccount: in.ServiceAccount,
	})
	if err != nil {
		return Result{}, err
	}
	one, err := onlyOne(found.Associations, nil, "the association of "+aws.ToString(in.ServiceAccount))
	if err != nil {
		return Result{}, err
	}
	out, err := r.eks().DescribePodIdentityAssociation(ctx, &eks.DescribePodIdentityAssociationInput{ClusterName: in.ClusterName, AssociationId: one.AssociationId})
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
	return deleted(r.eks().DeletePodIdentityAssociation(ctx, &eks.DeletePodIdentityAssociationInput{
		ClusterName: aws.String(p.String("ClusterName")), AssociationId: aws.String(associationID(id)),
	}))
}
