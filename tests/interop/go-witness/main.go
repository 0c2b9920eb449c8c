// Witnessed is a log by Tessera, which is not ours, that asks the witnesses of a policy for cosignatures.
//
//	witnessed log DIR SIGNING-KEY POLICY ENTRIES    grow a log in DIR; prints the checkpoint with its cosignatures
//	witnessed open VERIFIER-KEY...                  open the note on standard input; prints how many keys signed it
package main

import (
	"context"
	"fmt"
	"io"
	"log"
	"os"
	"strconv"
	"time"

	cosign "github.com/transparency-dev/formats/note"
	"github.com/transparency-dev/tessera"
	"github.com/transparency-dev/tessera/storage/posix"
	"golang.org/x/mod/sumdb/note"
)

func main() {
	var err error
	switch os.Args[1] {
	case "log":
		err = grow(os.Args[2], os.Args[3], os.Args[4], os.Args[5])
	case "open":
		err = open(os.Args[2:])
	}
	if err != nil {
		log.Fatal(err)
	}
}

func grow(dir, skey, policyFile, entries string) error {
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Minute)
	defer cancel()
	count, err := strconv.Atoi(entries)
	if err != nil {
		return err
	}
	signer, err := note.NewSigner(skey)
	if err != nil {
		return err
	}
	policy, err := os.ReadFile(policyFile)
	if err != nil {
		return err
	}
	witnesses, err := tessera.NewWitnessGroupFromPolicy(policy)
	if err != nil {
		return err
	}
	driver, err := posix.New(ctx, posix.Config{Path: dir})
	if err != nil {
		return err
	}
	options := tessera.NewAppendOptions().
		WithCheckpointSigner(signer).
		WithCheckpointInterval(100*time.Millisecond).
		WithBatching(1, 10*time.Millisecond).
		WithWitnesses(witnesses, &tessera.WitnessOptions{Timeout: time.Minute})
	appender, shutdown, reader, err := tessera.NewAppender(ctx, driver, options)
	if err != nil {
		return err
	}
	awaiter := tessera.NewPublicationAwaiter(ctx, reader.ReadCheckpoint, 50*time.Millisecond)
	var checkpoint []byte
	for i := range count {
		_, checkpoint, err = awaiter.Await(ctx, appender.Add(ctx, tessera.NewEntry([]byte(strconv.Itoa(i)))))
		if err != nil {
			return err
		}
	}
	if err := shutdown(ctx); err != nil {
		return err
	}
	_, err = os.Stdout.Write(checkpoint)
	return err
}

func open(vkeys []string) error {
	var known []note.Verifier
	for _, vkey := range vkeys {
		verifier, err := cosign.NewVerifier(vkey)
		if err != nil {
			return err
		}
		known = append(known, verifier)
	}
	data, err := io.ReadAll(os.Stdin)
	if err != nil {
		return err
	}
	opened, err := note.Open(data, note.VerifierList(known...))
	if err != nil {
		return err
	}
	fmt.Println(len(opened.Sigs))
	return nil
}
