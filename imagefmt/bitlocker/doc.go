// Package bitlocker reads volumes that are encrypted by BitLocker: what their metadata says without a key, and with one the
// decrypted volume as a layer.Mapper, between the partition and what lies in it. Decrypt first, then read snapshots: VSS is
// above the encryption.
package bitlocker
