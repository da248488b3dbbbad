package bitlocker_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"

	"snapmount/imagefmt/bitlocker"
	"snapmount/imagefmt/bitlocker/bitlockertest"
	"snapmount/imagefmt/layer"
)

// image is a volume in memory.
type image []byte

func (m image) WriteAt(p []byte, off int64) (int, error) { return copy(m[off:], p), nil }

// A locked volume tells what would open it, and with the key is a layer as any other.
func Example() {
	plain, encrypted := make([]byte, 1<<20), make(image, 1<<20)
	copy(plain, "\xeb\x52\x90NTFS    ")
	digits := bitlockertest.NewRecoveryPassword("example")
	_, err := bitlockertest.Write(encrypted, bytes.NewReader(plain), int64(len(plain)), bitlockertest.Options{
		Description: "PC C: 11/29/2026",
		Protectors:  []bitlockertest.Protector{{Kind: bitlockertest.TPM}, {Kind: bitlockertest.RecoveryPassword, Secret: digits}},
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	partition, err := layer.Section(bytes.NewReader(encrypted), 0, int64(len(encrypted)))
	if err != nil {
		fmt.Println(err)
		return
	}

	v, err := bitlocker.Open(partition)
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Printf("%s: %v, %s\n", v.Description, v.Method, v.Progress())
	for _, p := range v.Protectors {
		fmt.Printf("%v, can be opened: %t\n", p.Kind, p.Openable())
	}
	_, err = v.Unlock(context.Background(), nil)
	if locked, ok := errors.AsType[*bitlocker.LockedError](err); ok {
		fmt.Println(locked)
	}

	secret, err := bitlocker.RecoveryPassword(digits)
	if err != nil {
		fmt.Println(err)
		return
	}
	keys := bitlocker.NewKeyring(secret)
	defer keys.Wipe()
	u, err := v.Unlock(context.Background(), keys)
	if err != nil {
		fmt.Println(err)
		return
	}
	b := make([]byte, 8)
	_, err = u.ReadAt(b, 3)
	fmt.Printf("by %s: %q, %v\n", u.Secret, b, err)
	// Output:
	// PC C: 11/29/2026: XTS-AES 128, encrypted
	// TPM, can be opened: false
	// recovery password, can be opened: true
	// BitLocker, locked: give a recovery password for key 7C55C000 (7C55C000-A258-5A94-7BC0-90685A0F9272)
	// by recovery password: "NTFS    ", <nil>
}
