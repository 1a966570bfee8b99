package resources

import (
	"archive/zip"
	"bytes"
	"context"
	"errors"
	"strconv"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/lambda"
	lambdatypes "github.com/aws/aws-sdk-go-v2/service/lambda/types"
)

func init() {
	Register(&Type{
		Name: "AWS::Lambda::Function",
		Properties: []string{"Architectures", "Code", "DeadLetterConfig", "Description", "Environment", "EphemeralStorage", "FunctionName",
			"Handler", "KmsKeyArn", "Layers", "LoggingConfig", "MemorySize", "PackageType", "ReservedConcurrentExecutions", "Role", "Runtime",
			"Tags", "Timeout", "TracingConfig", "VpcConfig"},
		Immutable: []string{"FunctionName", "PackageType"},
		Recorded:  "functions are stored but never run; the stand-in applies the custom resources behind them itself",
		Create:    createFunction, Update: updateFunction,
		Delete: func(ctx context.Context, r *Request, id string, _ Properties) error {
			_, err := r.lambda().DeleteFunction(ctx, &lambda.DeleteFunctionInput{FunctionName: &id})
			return gone(err)
		},
	})
	layer := []string{"CompatibleArchitectures", "CompatibleRuntimes", "Content", "Description", "LayerName", "LicenseInfo"}
	Register(&Type{
		Name: "AWS::Lambda::LayerVersion", Properties: layer, Immutable: layer, // a version never changes
		Recorded: "functions are stored but never run",
		Create:   createLayer, Delete: deleteLayer,
	})
	permission := []string{"Action", "EventSourceToken", "FunctionName", "FunctionUrlAuthType", "Principal", "PrincipalOrgID", "SourceAccount", "SourceArn"}
	Register(&Type{
		Name: "AWS::Lambda::Permission", Properties: permission, Immutable: permission,
		Recorded: "functions are stored but never run",
		Create:   createPermission,
		Delete: func(ctx context.Context, r *Request, id string, p Properties) error {
			in := &lambda.RemovePermissionInput{FunctionName: aws.String(p.String("FunctionName")), StatementId: &id}
			_, err := r.lambda().RemovePermission(ctx, in)
			return gone(err)
		},
	})
}

func createFunction(ctx context.Context, r *Request, p Properties) (Result, error) {
	var in lambda.CreateFunctionInput
	settings := p.without("Code", "FunctionName", "ReservedConcurrentExecutions", "Tags").rename("KmsKeyArn", "KMSKeyArn")
	if err := decode(settings, &in); err != nil {
		return Result{}, err
	}
	code, err := functionCode(p)
	if err != nil {
		return Result{}, err
	}
	name := r.name(p, "FunctionName", 64, false)
	in.FunctionName, in.Code, in.Tags = &name, code, r.tags(p)
	_, err = r.lambda().CreateFunction(ctx, &in)
	if err != nil && (p.Has("FunctionName") || !hasCode(err, "Conflict")) {
		return Result{}, err
	}
	return functionResult(ctx, r, name)
}

func functionResult(ctx context.Context, r *Request, name string) (Result, error) {
	out, err := r.lambda().GetFunction(ctx, &lambda.GetFunctionInput{FunctionName: &name})
	if err != nil {
		return Result{ID: name}, err
	}
	return Result{ID: name, Attributes: map[string]any{"Arn": aws.ToString(out.Configuration.FunctionArn)}}, nil
}

// functionCode returns where the code lies; inline source becomes an archive
// with one file, index, as CloudFormation makes it.
func functionCode(p Properties) (*lambdatypes.FunctionCode, error) {
	code := p.Object("Code")
	if !code.Has("ZipFile") {
		out := &lambdatypes.FunctionCode{}
		return out, decode(code, out)
	}
	name := "index.js"
	if runtime := p.String("Runtime"); len(runtime) > 6 && runtime[:6] == "python" {
		name = "index.py"
	}
	var archive bytes.Buffer
	w := zip.NewWriter(&archive)
	f, err := w.Create(name)
	if err != nil {
		return nil, err
	}
	if _, err := f.Write([]byte(code.String("ZipFile"))); err != nil {
		return nil, err
	}
	if err := w.Close(); err != nil {
		return nil, err
	}
	return &lambdatypes.FunctionCode{ZipFile: archive.Bytes()}, nil
}

func updateFunction(ctx context.Context, r *Request, id string, old, updated Properties) (Result, error) {
	if changed(old, updated, "Code", "Architectures") {
		code, err := functionCode(updated)
		if err != nil {
			return Result{}, err
		}
		if _, err := r.lambda().UpdateFunctionCode(ctx, &lambda.UpdateFunctionCodeInput{
			FunctionName: &id, S3Bucket: code.S3Bucket, S3Key: code.S3Key, S3ObjectVersion: code.S3ObjectVersion, ZipFile: code.ZipFile, ImageUri: code.ImageUri,
		}); err != nil {
			return Result{}, err
		}
	}
	var in lambda.UpdateFunctionConfigurationInput
	settings := updated.without("Architectures", "Code", "FunctionName", "PackageType", "ReservedConcurrentExecutions", "Tags").rename("KmsKeyArn", "KMSKeyArn")
	if err := decode(settings, &in); err != nil {
		return Result{}, err
	}
	in.FunctionName = &id
	if _, err := r.lambda().UpdateFunctionConfiguration(ctx, &in); err != nil {
		return Result{}, err
	}
	result, err := functionResult(ctx, r, id)
	if err != nil {
		return Result{}, err
	}
	arn := aws.String(result.Attributes["Arn"].(string))
	if drop := removed(r.tags(old), r.tags(updated)); len(drop) > 0 {
		if _, err := r.lambda().UntagResource(ctx, &lambda.UntagResourceInput{Resource: arn, TagKeys: drop}); err != nil {
			return Result{}, err
		}
	}
	_, err = r.lambda().TagResource(ctx, &lambda.TagResourceInput{Resource: arn, Tags: r.tags(updated)})
	return result, err
}

func createLayer(ctx context.Context, r *Request, p Properties) (Result, error) {
	var in lambda.PublishLayerVersionInput
	if err := decode(p.without("LayerName"), &in); err != nil {
		return Result{}, err
	}
	in.LayerName = aws.String(r.name(p, "LayerName", 140, false))
	out, err := r.lambda().PublishLayerVersion(ctx, &in)
	if err != nil {
		return Result{}, err
	}
	arn := aws.ToString(out.LayerVersionArn)
	return Result{ID: arn, Attributes: map[string]any{"LayerVersionArn": arn}}, nil
}

// deleteLayer deletes the version that an ARN (…:layer:NAME:VERSION) names.
func deleteLayer(ctx context.Context, r *Request, id string, _ Properties) error {
	arn, version, err := splitLast(id)
	if err != nil {
		return err
	}
	n, err := strconv.ParseInt(version, 10, 64)
	if err != nil {
		return err
	}
	_, err = r.lambda().DeleteLayerVersion(ctx, &lambda.DeleteLayerVersionInput{LayerName: &arn, VersionNumber: &n})
	return gone(err)
}

func splitLast(arn string) (head, tail string, err error) {
	for i := len(arn) - 1; i >= 0; i-- {
		if arn[i] == ':' {
			return arn[:i], arn[i+1:], nil
		}
	}
	return "", "", errors.New(arn + " is no ARN")
}

func createPermission(ctx context.Context, r *Request, p Properties) (Result, error) {
	var in lambda.AddPermissionInput
	if err := decode(p, &in); err != nil {
		return Result{}, err
	}
	id := r.Name(100, false)
	in.StatementId = &id
	if _, err := r.lambda().AddPermission(ctx, &in); err != nil {
		return Result{}, err
	}
	return Result{ID: id, Attributes: map[string]any{"Id": id}}, nil
}
