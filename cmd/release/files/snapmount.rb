class Snapmount < Formula
  desc "Browse a Windows disk image at every point in time that it keeps"
  homepage "{{.URL}}"
  version "{{.Version}}"
  license "Apache-2.0"

  on_macos do
    on_arm do
      url "{{.URL}}/snapmount_{{.Version}}_darwin_arm64.tar.gz"
      sha256 "{{.Sums.darwin_arm64}}"
    end
    on_intel do
      url "{{.URL}}/snapmount_{{.Version}}_darwin_amd64.tar.gz"
      sha256 "{{.Sums.darwin_amd64}}"
    end
  end

  on_linux do
    on_arm do
      url "{{.URL}}/snapmount_{{.Version}}_linux_arm64.tar.gz"
      sha256 "{{.Sums.linux_arm64}}"
    end
    on_intel do
      url "{{.URL}}/snapmount_{{.Version}}_linux_amd64.tar.gz"
      sha256 "{{.Sums.linux_amd64}}"
    end
  end

  def install
    bin.install "snapmount"
    man1.install Dir["man/*.1"]
    bash_completion.install "completion/snapmount.bash" => "snapmount"
    zsh_completion.install "completion/_snapmount"
    fish_completion.install "completion/snapmount.fish"
  end

  def caveats
    <<~EOS
      Mounting needs macFUSE on a Mac, and fuse3 on Linux. All other commands
      need neither.
    EOS
  end

  test do
    assert_match version.to_s, shell_output("#{bin}/snapmount --version")
  end
end
