"""What several tests share. Real things in small: no mocks."""
