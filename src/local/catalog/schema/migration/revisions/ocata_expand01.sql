ALTER TABLE images ADD COLUMN visibility {visibility};
CREATE INDEX visibility_image_idx ON images (visibility);
ALTER TABLE images MODIFY COLUMN is_public BOOLEAN;
