// Package config reads a strict YAML file and environment variables into a struct that holds the defaults.
//
// The struct's yaml tags name everything: gateway.listen in the file is LUSHAO_GATEWAY_LISTEN in the environment. A name
// that nothing has is an error in both, because a setting that was misspelt must not be silently without effect.
package config

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"reflect"
	"slices"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"
)

// Prefix of the environment variables.
const Prefix = "LUSHAO_"

// Load reads the file (none if path is empty) and then the environment ("NAME=value" each) into v, a pointer to a struct.
// Variables of reserved names are left to others.
func Load(v any, path string, environ []string, reserved ...string) error {
	if path != "" {
		b, err := os.ReadFile(path)
		if err != nil {
			return fmt.Errorf("configuration: %w", err)
		}
		if err := Parse(v, path, b); err != nil {
			return err
		}
	}
	return Environment(v, environ, reserved...)
}

// Parse reads YAML into v. Errors name the file and the lines.
func Parse(v any, name string, b []byte) error {
	dec := yaml.NewDecoder(bytes.NewReader(b))
	dec.KnownFields(true)
	err := dec.Decode(v)
	if errors.Is(err, io.EOF) { // nothing in it but comments
		return nil
	}
	if err != nil {
		return fmt.Errorf("%s: %s", name, strings.TrimPrefix(err.Error(), "yaml: "))
	}
	if err := dec.Decode(new(any)); !errors.Is(err, io.EOF) {
		return fmt.Errorf("%s: more than one document; the settings are one", name)
	}
	return nil
}

// Environment sets what variables name. A list is separated by commas; lists of more than texts and maps can only be set
// in the file.
func Environment(v any, environ []string, reserved ...string) error {
	fields := map[string]reflect.Value{}
	collect(reflect.ValueOf(v).Elem(), Prefix, fields)
	var errs []error
	for _, line := range environ {
		name, value, _ := strings.Cut(line, "=")
		if !strings.HasPrefix(name, Prefix) || slices.Contains(reserved, name) {
			continue
		}
		f, ok := fields[name]
		if !ok {
			errs = append(errs, fmt.Errorf("environment: %s: there is no such setting%s", name, near(name, fields)))
			continue
		}
		if err := set(f, value); err != nil {
			errs = append(errs, fmt.Errorf("environment: %s=%s: %w", name, value, err))
		}
	}
	return errors.Join(errs...)
}

var durationType = reflect.TypeFor[time.Duration]()

func collect(v reflect.Value, prefix string, out map[string]reflect.Value) {
	for i := range v.NumField() {
		tag, _, _ := strings.Cut(v.Type().Field(i).Tag.Get("yaml"), ",")
		if tag == "-" || !v.Type().Field(i).IsExported() {
			continue
		}
		name := prefix + strings.ToUpper(tag)
		switch f := v.Field(i); f.Kind() {
		case reflect.Struct:
			collect(f, name+"_", out)
		case reflect.Slice:
			if f.Type().Elem().Kind() == reflect.String {
				out[name] = f
			}
		case reflect.Map, reflect.Interface, reflect.Pointer, reflect.Func:
		default:
			out[name] = f
		}
	}
}

func set(f reflect.Value, value string) error {
	switch {
	case f.Type() == durationType:
		d, err := time.ParseDuration(value)
		if err != nil {
			return err
		}
		f.SetInt(int64(d))
		return nil
	case f.Kind() == reflect.String: // as it is: a password of digits stays a text
		f.SetString(value)
		return nil
	case f.Kind() == reflect.Slice:
		list := reflect.MakeSlice(f.Type(), 0, 4)
		for _, s := range strings.Split(value, ",") {
			if s = strings.TrimSpace(s); s != "" {
				list = reflect.Append(list, reflect.ValueOf(s).Convert(f.Type().Elem()))
			}
		}
		f.Set(list)
		return nil
	}
	if err := yaml.Unmarshal([]byte(value), f.Addr().Interface()); err != nil {
		return fmt.Errorf("want a %s", f.Kind())
	}
	return nil
}

// near names a setting that may have been meant.
func near(name string, fields map[string]reflect.Value) string {
	best, least := "", len(name)/2
	for candidate := range fields {
		if d := distance(name, candidate); d < least || d == least && candidate < best {
			best, least = candidate, d
		}
	}
	if best == "" {
		return ""
	}
	return "; is " + best + " meant?"
}

// distance is the number of letters to change, add or leave out between two names.
func distance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			cost := diagonal
			if a[i] != b[j] {
				cost = 1 + min(diagonal, row[j], row[j+1])
			}
			diagonal, row[j+1] = row[j+1], cost
		}
	}
	return row[len(b)]
}
